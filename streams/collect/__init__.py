"""The collector: events over HTTP into the channels' topics. It answers once Kafka has them."""
