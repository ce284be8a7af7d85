import java.sql.*;
import java.util.*;

/** What DBeaver and Metabase ask of the official JDBC driver; a line for each call. */
public class Probe {
    interface Call { Object run() throws Exception; }
    static int wrong = 0;
    static void check(String name, Call call) {
        try {
            System.out.println("ok    " + name + ": " + call.run());
        } catch (Throwable error) {
            wrong++;
            Throwable cause = error;
            while (cause.getCause() != null) cause = cause.getCause();
            System.out.println("wrong " + name + ": " + String.valueOf(error.getMessage()).split("\n")[0] + " | " + cause);
        }
    }
    static int count(ResultSet rows) throws SQLException {
        int n = 0;
        while (rows.next()) n++;
        return n;
    }
    static String refused(Connection c, String sql) throws Exception {
        try {
            c.createStatement().execute(sql);
        } catch (SQLException error) {
            return error.getMessage().split("\n")[0];
        }
        throw new Exception("it was taken, and did nothing");
    }
    public static void main(String[] args) throws Exception {
        String url = args[0], user = args[1], token = args[2], database = args[3];
        for (String compress : new String[] {"", "?compress=false", "?compress=true&client.use_http_compression=true", "?compress=true&decompress=false"}) {
            Properties properties = new Properties();
            properties.put("user", user);
            properties.put("password", token);
            check("connect " + compress, () -> {
                try (Connection c = DriverManager.getConnection(url + database + compress, properties);
                     ResultSet rows = c.createStatement().executeQuery("SELECT count() FROM journeys")) {
                    rows.next();
                    return rows.getLong(1);
                }
            });
        }
        Properties properties = new Properties();
        properties.put("user", user);
        properties.put("password", token);
        Connection c = DriverManager.getConnection(url + database, properties);
        DatabaseMetaData about = c.getMetaData();
        check("isValid", () -> c.isValid(5));
        check("getDatabaseProductVersion", () -> about.getDatabaseProductVersion());
        check("getCatalogs", () -> count(about.getCatalogs()));
        check("getSchemas", () -> count(about.getSchemas()));
        check("getTableTypes", () -> count(about.getTableTypes()));
        check("getTables", () -> count(about.getTables(null, database, "%", new String[] {"TABLE", "VIEW"})));
        check("getTables all types", () -> count(about.getTables(null, null, "%", null)));
        check("getColumns", () -> count(about.getColumns(null, database, "interactions", "%")));
        check("getColumns all", () -> count(about.getColumns(null, database, null, null)));
        check("getPrimaryKeys", () -> count(about.getPrimaryKeys(null, database, "interactions_store")));
        check("getIndexInfo", () -> count(about.getIndexInfo(null, database, "interactions_store", false, true)));
        check("getImportedKeys", () -> count(about.getImportedKeys(null, database, "interactions")));
        check("getExportedKeys", () -> count(about.getExportedKeys(null, database, "interactions")));
        check("getTypeInfo", () -> count(about.getTypeInfo()));
        check("getFunctions", () -> count(about.getFunctions(null, null, "arr%")));
        check("getProcedures", () -> count(about.getProcedures(null, null, "%")));
        check("getClientInfoProperties", () -> count(about.getClientInfoProperties()));
        check("getNumericFunctions", () -> about.getNumericFunctions().length() > 0);
        check("SELECT 1", () -> count(c.createStatement().executeQuery("SELECT 1")));
        check("select of every type", () -> {
            int n = 0;
            try (ResultSet rows = c.createStatement().executeQuery("SELECT * FROM journeys LIMIT 50")) {
                ResultSetMetaData m = rows.getMetaData();
                while (rows.next()) for (int i = 1; i <= m.getColumnCount(); i++) { rows.getObject(i); n++; }
            }
            return n;
        });
        check("select interactions", () -> {
            int n = 0;
            try (ResultSet rows = c.createStatement().executeQuery("SELECT * FROM interactions LIMIT 50")) {
                ResultSetMetaData m = rows.getMetaData();
                while (rows.next()) for (int i = 1; i <= m.getColumnCount(); i++) { rows.getObject(i); n++; }
            }
            return n;
        });
        check("setMaxRows", () -> {
            Statement s = c.createStatement();
            s.setMaxRows(7);
            int n = count(s.executeQuery("SELECT journey_id FROM journeys"));
            if (n != 7) throw new Exception("not 7 rows but " + n);
            return n;
        });
        check("setFetchSize", () -> { Statement s = c.createStatement(); s.setFetchSize(100); return count(s.executeQuery("SELECT customer_id FROM customers")); });
        check("setQueryTimeout", () -> { Statement s = c.createStatement(); s.setQueryTimeout(20); return count(s.executeQuery("SELECT 1")); });
        check("prepared", () -> {
            PreparedStatement s = c.prepareStatement("SELECT count() FROM journeys WHERE status = ? AND interactions > ? AND started_at > ?");
            s.setString(1, "completed"); s.setInt(2, 1); s.setTimestamp(3, Timestamp.valueOf("2024-01-01 00:00:00"));
            ResultSet rows = s.executeQuery();
            rows.next();
            return rows.getLong(1);
        });
        check("prepared getMetaData", () -> c.prepareStatement("SELECT journey_id, spend FROM journeys WHERE status = 'x'").getMetaData().getColumnCount());
        check("prepared nasty", () -> {
            PreparedStatement s = c.prepareStatement("SELECT ?");
            s.setString(1, "it's \\ ; -- ? x");
            ResultSet rows = s.executeQuery(); rows.next();
            if (!rows.getString(1).equals("it's \\ ; -- ? x")) throw new Exception("came back as " + rows.getString(1));
            return rows.getString(1);
        });
        check("error is an SQLException", () -> {
            try { c.createStatement().executeQuery("SELECT nothing_such FROM journeys"); } catch (SQLException e) { return e.getErrorCode() + " " + e.getMessage().split("\n")[0]; }
            throw new Exception("no error");
        });
        check("large result", () -> count(c.createStatement().executeQuery("SELECT number, toString(number) FROM numbers(1000000)")));
        check("cancel", () -> {
            Statement s = c.createStatement();
            long began = System.currentTimeMillis();
            Thread later = new Thread(() -> { try { Thread.sleep(1000); s.cancel(); } catch (Exception e) { System.out.println("      cancel itself: " + e.getMessage()); } });
            later.start();
            try { count(s.executeQuery("SELECT sum(cityHash64(number, rand())) FROM numbers(20000000000)")); } catch (SQLException e) {
                long took = System.currentTimeMillis() - began;
                if (took > 20000) throw new Exception("cancelled after " + took);
                return "stopped: " + e.getMessage().split("\n")[0];
            }
            throw new Exception("it ran to its end");
        });
        check("setSchema", () -> { c.setSchema("system"); String s = c.getSchema(); c.setSchema(database); return s; });
        check("EXPLAIN", () -> count(c.createStatement().executeQuery("EXPLAIN SELECT count() FROM journeys")));
        check("SHOW TABLES", () -> count(c.createStatement().executeQuery("SHOW TABLES")));
        check("DESCRIBE", () -> count(c.createStatement().executeQuery("DESCRIBE TABLE journeys")));
        check("SET is refused", () -> refused(c, "SET max_threads = 1"));
        if (user.equals("owner")) {
            check("create, batch, read, drop", () -> {
                Statement s = c.createStatement();
                s.execute("DROP TABLE IF EXISTS probe");
                s.execute("CREATE TABLE probe (a UInt64, b String, d DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY a");
                PreparedStatement insert = c.prepareStatement("INSERT INTO probe (a, b, d) VALUES (?, ?, ?)");
                for (int i = 0; i < 100; i++) { insert.setLong(1, i); insert.setString(2, "it's " + i); insert.setTimestamp(3, Timestamp.valueOf("2024-01-01 00:00:00")); insert.addBatch(); }
                int n = insert.executeBatch().length;
                ResultSet rows = s.executeQuery("SELECT count(), max(b) FROM probe"); rows.next();
                String found = n + " " + rows.getLong(1) + " " + rows.getString(2);
                s.execute("DROP TABLE probe");
                if (!found.equals("100 100 it's 99")) throw new Exception(found);
                return found;
            });
            check("a temporary table is refused", () -> refused(c, "CREATE TEMPORARY TABLE mine (a UInt64)"));
        }
        c.close();
        System.out.println(wrong + " wrong");
        System.exit(wrong == 0 ? 0 : 1);
    }
}
