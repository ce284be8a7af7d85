import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Scanner;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends each line of standard input, a compression.type and a value in base64. Arguments: brokers, topic. */
public class Produce {
    public static void main(String[] arguments) throws Exception {
        Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
        for (var lines = new Scanner(System.in); lines.hasNext(); ) {
            var producer = producers.computeIfAbsent(lines.next(), codec -> producer(arguments[0], codec));
            byte[] value = Base64.getDecoder().decode(lines.next());
            producer.send(new ProducerRecord<>(arguments[1], 0, null, value));
        }
        producers.values().forEach(KafkaProducer::close); // sends what is left
    }

    private static KafkaProducer<byte[], byte[]> producer(String brokers, String codec) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", brokers);
        properties.put("compression.type", codec);
        properties.put("linger.ms", "1000");
        return new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    }
}
