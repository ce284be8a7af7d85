import java.util.Base64;
import java.util.Properties;
import java.util.Scanner;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends each line of standard input, base64, to a topic: arguments are brokers, topic and compression.type. */
public class Produce {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("compression.type", arguments[2]);
        properties.put("linger.ms", "1000");
        try (var producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
                var lines = new Scanner(System.in)) {
            while (lines.hasNextLine()) {
                byte[] value = Base64.getDecoder().decode(lines.nextLine());
                producer.send(new ProducerRecord<>(arguments[1], 0, (byte[]) null, value));
            }
            producer.flush();
        }
    }
}
