"""An Apache Kafka that lets nobody in who is not known: all four security protocols, ACLs, certificates made here."""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trustme
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String
from cryptography.hazmat.primitives import serialization

from streams.embedded import kafka
from streams.embedded.broker import BrokerError
from streams.embedded.ports import HOST, free_ports
from streams.kafka import clients
from streams.kafka.acl_check import BITS
from streams.kafka.acls import ACCESS, PIPELINE, Acl
from streams.settings import Settings
from tests.support.brokers import REQUIRE_KAFKA
from tests.support.waiting import until

USERS = (*ACCESS, PIPELINE, "nobody")
LISTENERS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL", "EXPIRED", "ELSEWHERE")
"""SSL asks for a client certificate; EXPIRED and ELSEWHERE are SSL with a certificate that has expired, and one for
another host."""

PROPERTIES = """\
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,\
SASL_SSL:SASL_SSL,EXPIRED:SSL,ELSEWHERE:SSL
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin
allow.everyone.if.no.acl.found=false
ssl.keystore.type=PEM
ssl.truststore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.location={folder}/ca.pem
ssl.principal.mapping.rules=RULE:^CN=([^,]*).*$/$1/
listener.name.ssl.ssl.client.auth=required
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location={folder}/expired.pem
listener.name.elsewhere.ssl.keystore.type=PEM
listener.name.elsewhere.ssl.keystore.location={folder}/elsewhere.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
{jaas}
"""
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
OAUTH = (
    'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";'
)


def password(user: str) -> str:
    """A user's password."""
    return f"pass/wor?d of {user}@1"


def token(user: str, *, seconds: float = 3600.0) -> str:
    """A JSON web token without signature, that ends in so many seconds."""
    claims = {"sub": user, "iat": time.time() - 7200, "exp": time.time() + seconds}
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in ({"alg": "none"}, claims)
        )
        + "."
    )


class SecuredKafka(kafka.Kafka):
    """Listeners of LISTENERS, each with a port of its own (`at`)."""

    name = "the secured Kafka"

    def __init__(self, folder: Path) -> None:
        ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
        super().__init__(folder, port=ports["PLAINTEXT"])
        self.ports = ports
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(str(folder / "ca.pem"))
        trustme.CA().cert_pem.write_to_path(str(folder / "other-ca.pem"))
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        self.issue("server", "localhost", HOST)
        self.issue("expired", "localhost", HOST, not_before=past, not_after=past + datetime.timedelta(days=1))
        self.issue("elsewhere", "kafka.elsewhere.example")
        for user in USERS:
            self.issue(user, f"{user}.client.example", common_name=user)

    def issue(self, name: str, *hosts: str, **more: Any) -> Path:
        """A certificate with its key, in one file."""
        file = self.folder / f"{name}.pem"
        made = self.ca.issue_cert(*hosts, **more)
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)  # which is what Java reads
        text = key.private_bytes(*form, serialization.NoEncryption())
        file.write_bytes(text + b"".join(part.bytes() for part in made.cert_chain_pems))
        return file

    def at(self, listener: str) -> str:
        """The address of a listener."""
        return f"localhost:{self.ports[listener]}"

    def _configure(self) -> Path:
        properties = super()._configure()
        users = " ".join(f'user_{user}="{password(user)}"' for user in USERS)
        plain = f'{PLAIN} username="admin" password="admin" user_admin="admin" {users};'
        jaas = [
            f"listener.name.{listener}.{mechanism}.sasl.jaas.config={module}"
            for listener in ("sasl_plaintext", "sasl_ssl")
            for mechanism, module in (
                ("plain", plain), ("scram-sha-256", SCRAM), ("scram-sha-512", SCRAM), ("oauthbearer", OAUTH)
            )
        ]  # fmt: skip
        lines = [line for line in properties.read_text().splitlines() if "listener" not in line.partition("=")[0]]
        own = free_ports(1)[0]
        lines = [line for line in lines if not line.startswith("controller.quorum.voters")]
        each = ",".join(f"{name}://{HOST}:{port}" for name, port in self.ports.items())
        told = ",".join(f"{name}://localhost:{port}" for name, port in self.ports.items())
        lines += [
            f"controller.quorum.voters=1@{HOST}:{own}",
            "controller.listener.names=CONTROLLER",
            f"listeners={each},CONTROLLER://{HOST}:{own}",
            f"advertised.listeners={told}",
            "inter.broker.listener.name=PLAINTEXT",
            PROPERTIES.format(folder=self.folder, jaas="\n".join(jaas)),
        ]
        properties.write_text("\n".join(lines))
        return properties

    def _format(self, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        scram = [
            word
            for user in USERS
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for word in ("--add-scram", f'{mechanism}=[name={user},password="{password(user)}"]')
        ]
        command = [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
        code, said = kafka._run([*command, *scram], kafka.FORMAT_SECONDS)
        if code:
            raise BrokerError(said)


@dataclass(frozen=True)
class Secured:
    """The running broker."""

    process: SecuredKafka

    @property
    def folder(self) -> Path:
        """Where the certificates are."""
        return self.process.folder

    def anybody(self, prefix: str, **changes: Any) -> Settings:
        """Settings on the open listener, where everybody may do everything."""
        return Settings(brokers=self.process.at("PLAINTEXT"), prefix=prefix, **changes)

    def who(self, user: str, way: str, prefix: str = "cx", **changes: Any) -> Settings:
        """Settings of a user by one way in: "SSL", or a protocol with SASL and a mechanism after a blank."""
        protocol, _, mechanism = way.partition(" ")
        told: dict[str, Any] = {"brokers": self.process.at(protocol), "security_protocol": protocol, "prefix": prefix}
        if protocol.endswith("SSL"):
            told["ssl_ca"] = str(self.folder / "ca.pem")
        if protocol == "SSL":
            told["ssl_certificate"] = str(self.folder / f"{user}.pem")
        elif mechanism == "OAUTHBEARER":
            file = self.folder / f"{user}.token"
            file.write_text(token(user) + "\n")
            told |= {"sasl_mechanism": mechanism, "sasl_token_file": str(file)}
        else:
            told |= {"sasl_mechanism": mechanism, "sasl_username": user, "sasl_password": password(user)}
        return Settings(**{**told, **changes})

    def grant(self, user: str, rights: Iterable[Acl]) -> None:
        """Give a user rights."""
        asyncio.run(self._grant(user, list(rights)))

    async def _grant(self, user: str, rights: list[Acl]) -> None:
        admin = clients.admin(self.anybody("cx"))
        await admin.start()
        try:
            answer = await admin._send_request(_CreateAcls(user, rights), admin._client.cluster.controller.nodeId)
            assert not any(code for code, _ in answer.results), answer
            wanted = {(right.name, BITS[right.operation]) for right in rights}

            async def known() -> bool:
                told = await admin._send_request(_DescribeAcls(user))
                return wanted <= {(name, acl[2]) for _, name, _, some in told.resources for acl in some}

            await until(known, what=f"the rights of {user} to be known")
        finally:
            await admin.close()


class _Created(Response):  # type: ignore[misc]
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32), ("results", Array(("error_code", Int16), ("error_message", String("utf-8"))))
    )


class _Create(RequestStruct):  # type: ignore[misc]
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = _Created
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("resource_pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class _CreateAcls(Request[_Create]):  # type: ignore[misc]
    API_KEY = 30
    RESOURCES: ClassVar = {"topic": 2, "group": 3}
    OPERATIONS: ClassVar = BITS

    def __init__(self, user: str, rights: list[Acl]) -> None:
        self._user, self._rights = user, rights

    def build(self, request_struct_class: type[_Create]) -> _Create:
        return request_struct_class(
            [
                (
                    self.RESOURCES[right.resource], right.name, 4 if right.prefixed else 3, f"User:{self._user}", "*",
                    self.OPERATIONS[right.operation], 3,
                )
                for right in self._rights
            ]
        )  # fmt: skip


class _Described(Response):  # type: ignore[misc]
    API_KEY = 29
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", String("utf-8")),
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("pattern_type", Int8),
                (
                    "acls",
                    Array(
                        ("principal", String("utf-8")),
                        ("host", String("utf-8")),
                        ("operation", Int8),
                        ("permission_type", Int8),
                    ),
                ),
            ),
        ),
    )


class _Describe(RequestStruct):  # type: ignore[misc]
    API_KEY = 29
    API_VERSION = 1
    RESPONSE_TYPE = _Described
    SCHEMA = Schema(
        ("resource_type", Int8),
        ("resource_name", String("utf-8")),
        ("pattern_type", Int8),
        ("principal", String("utf-8")),
        ("host", String("utf-8")),
        ("operation", Int8),
        ("permission_type", Int8),
    )


class _DescribeAcls(Request[_Describe]):  # type: ignore[misc]
    """All rights of a user, as the broker knows them."""

    API_KEY = 29

    def __init__(self, user: str) -> None:
        self._user = user

    def build(self, request_struct_class: type[_Describe]) -> _Describe:
        return request_struct_class(1, None, 1, f"User:{self._user}", None, 1, 1)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """The secured Kafka of this run; skipped where there is no Kafka, unless RIHLA_REQUIRE_KAFKA=1."""
    process = SecuredKafka(tmp_path_factory.mktemp("secured"))
    try:
        process.command()
    except BrokerError as exc:
        if os.environ.get(REQUIRE_KAFKA) == "1" or "format" in str(exc):
            raise
        pytest.skip(f"no Apache Kafka here: {exc}")
    asyncio.run(process.start())
    try:
        yield Secured(process)
    finally:
        asyncio.run(process.stop())
