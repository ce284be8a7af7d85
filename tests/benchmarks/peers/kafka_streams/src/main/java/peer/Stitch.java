package peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;
import peer.state.Grievance;
import peer.state.Loose;
import peer.state.State;
import peer.state.Trip;
import rihla.Case;
import rihla.Customer;
import rihla.Interaction;
import rihla.Journey;
import rihla.Move;

/**
 * Stitch on Kafka Streams: a processor with a store of RocksDB and its changelog, at least once.
 *
 * <p>Arguments: brokers, prefix, folder, the folder of the package streams, and settings NAME=VALUE.
 */
public final class Stitch {
  private static final String STORE = "subjects";

  private Stitch() {}

  public static void main(String[] arguments) throws Exception {
    String prefix = arguments[1];
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "-stitch");
    settings.put(StreamsConfig.STATE_DIR_CONFIG, arguments[2] + "/" + prefix);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
    settings.put("auto.offset.reset", "earliest");
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "1000");
    for (String setting : List.of(arguments).subList(4, arguments.length)) {
      int equals = setting.indexOf('=');
      settings.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    KafkaStreams streams = new KafkaStreams(topology(prefix, new Model(Path.of(arguments[3]))), settings);
    CountDownLatch ended = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          ended.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
    ended.await();
    System.exit(1);
  }

  private static Topology topology(String prefix, Model model) {
    Serializer<String> keys = Serdes.String().serializer();
    Serializer<byte[]> values = Serdes.ByteArray().serializer();
    Topology topology = new Topology();
    topology.addSource(
        "interactions", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), prefix + ".interactions");
    topology.addProcessor("stitch", () -> new Folding(model), "interactions");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.String(), new StateSerde())
            .withCachingEnabled(),
        "stitch");
    for (String topic : List.of("journeys", "customers", "cases", "moves")) {
      topology.addSink(topic, prefix + "." + topic, keys, values, "stitch");
    }
    return topology;
  }

  /** States as Avro, in its single-object encoding. */
  private static final class StateSerde implements Serde<State> {
    @Override
    public Serializer<State> serializer() {
      return (topic, state) -> state == null ? null : bytes(State.getEncoder(), state);
    }

    @Override
    public Deserializer<State> deserializer() {
      return (topic, payload) -> {
        try {
          return payload == null ? null : State.getDecoder().decode(payload);
        } catch (IOException error) {
          throw new UncheckedIOException(error);
        }
      };
    }
  }

  private static <T> byte[] bytes(BinaryMessageEncoder<T> encoder, T value) {
    try {
      ByteBuffer encoded = encoder.encode(value);
      byte[] bytes = new byte[encoded.remaining()];
      encoded.get(bytes);
      return bytes;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  /** Folds one interaction after the other, and publishes what each changed. */
  private static final class Folding implements Processor<String, byte[], String, byte[]> {
    private final Model model;
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, State> states;

    Folding(Model model) {
      this.model = model;
    }

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      this.context = context;
      this.states = context.getStateStore(STORE);
    }

    @Override
    public void process(Record<String, byte[]> record) {
      String subject = record.key();
      State state = states.get(subject);
      if (state == null) {
        state = Fold.empty();
      }
      long offset = context.recordMetadata().orElseThrow().offset();
      if (offset < state.getVersion()) {
        return;
      }
      Event event;
      try {
        event = Event.of(Interaction.getDecoder().decode(record.value()), model);
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
      state.setVersion(offset + 1);
      String customer = Rows.customerId(subject);
      Placement before = Placement.of(state);
      Set<String> refs = new HashSet<>();
      Set<String> caseIds = new HashSet<>();
      if (Fold.known(state, event)) {
        state.setDuplicates(state.getDuplicates() + 1);
      } else {
        String caseId = Fold.add(state, event);
        if (event.bookingRef() != null) {
          refs.add(event.bookingRef());
        }
        if (caseId != null) {
          caseIds.add(caseId);
        }
        observe(customer, state, event);
      }
      publish(subject, customer, state, before, refs, caseIds);
      states.put(subject, state);
    }

    private void observe(String customer, State state, Event event) {
      double[] scores = Fold.scores(state.getRolling(), state.getLast());
      double score = scores == null ? 0 : Rows.rounded(scores[1]);
      int profile = Rows.profile(score);
      int known = state.getSeen().remaining() == 8 ? Rows.NON_COMMITTAL : state.getProfile();
      state.setProfile(profile);
      if (profile != known) {
        Move move = Rows.move(customer, known, profile, event, score, state);
        send("moves", customer, bytes(Move.getEncoder(), move));
      }
    }

    private void publish(
        String subject, String customer, State state, Placement before, Set<String> refs, Set<String> caseIds) {
      Placement now = Placement.of(state);
      long version = state.getVersion();
      now.guests().forEach(
          (ref, members) -> {
            if (!Placement.same(members, before.guests().get(ref))) {
              refs.add(ref);
            }
          });
      before.guests().keySet().stream().filter(ref -> !now.guests().containsKey(ref)).forEach(refs::add);
      now.homes().keySet().stream().filter(id -> now.moved(before, id)).forEach(caseIds::add);
      Set<String> touched = new HashSet<>();
      for (String id : caseIds) {
        touched.add(before.homes().get(id));
        touched.add(now.homes().get(id));
        Case row = Rows.complaint(customer, id, state.getCases().get(id), now.homes().get(id), version);
        send("cases", customer + "/" + id, bytes(Case.getEncoder(), row));
      }
      touched.stream().filter(Objects::nonNull).forEach(refs::add);
      for (String ref : refs) {
        Trip booking = state.getBookings().get(ref);
        if (booking != null) {
          Trip whole = joined(booking, now.guests().getOrDefault(ref, List.of()));
          journey(Rows.journey(customer, ref, true, booking, whole, casesAt(state, now, ref), version));
        }
      }
      for (Map.Entry<String, List<Loose>> visit : now.visits().entrySet()) {
        String key = visit.getKey();
        if (!Placement.same(visit.getValue(), before.visits().get(key)) || touched.contains(key)) {
          Trip whole = joined(null, visit.getValue());
          journey(Rows.journey(customer, key, false, null, whole, casesAt(state, now, key), version));
        }
      }
      for (String key : before.visits().keySet()) {
        if (!now.visits().containsKey(key)) {
          Journey gone = Rows.journey(customer, key, false, null, Fold.trip(), List.of(), version);
          gone.setWithdrawn(true);
          journey(gone);
        }
      }
      Customer row = Rows.customer(subject, customer, state, state.getBookings().size() + now.visits().size());
      send("customers", customer, bytes(Customer.getEncoder(), row));
    }

    private static Trip joined(Trip booking, List<Loose> guests) {
      if (booking != null && guests.isEmpty()) {
        return booking;
      }
      Trip whole = booking == null ? Fold.trip() : Fold.copy(booking);
      guests.forEach(guest -> Fold.join(whole, guest));
      return whole;
    }

    private static List<Grievance> casesAt(State state, Placement now, String key) {
      if (now.homes().isEmpty()) {
        return List.of();
      }
      List<Grievance> found = new ArrayList<>();
      now.homes().forEach(
          (id, home) -> {
            if (key.equals(home)) {
              found.add(state.getCases().get(id));
            }
          });
      return found;
    }

    private void journey(Journey row) {
      send("journeys", row.getJourneyId(), bytes(Journey.getEncoder(), row));
    }

    private void send(String sink, String key, byte[] value) {
      context.forward(new Record<>(key, value, context.currentStreamTimeMs()), sink);
    }
  }
}
