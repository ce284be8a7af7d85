package peer;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import rihla.Attribute;
import rihla.Interaction;

/** The touchpoints and preferences of Rihla's own files. */
final class Model {
  static final List<String> MILESTONES =
      List.of("booked", "cancelled", "no_show", "checked_in", "in_stay", "completed");
  private static final Pattern LANGUAGE = Pattern.compile("[A-Za-z]{2,3}");
  private static final Touchpoint UNKNOWN = new Touchpoint(-1, null);

  record Touchpoint(int milestone, String caseRole) {}

  private record Rule(String source, String name, String match, String key, String value) {}

  private final Map<String, Touchpoint> touchpoints = new HashMap<>();
  private final List<Rule> fields = new ArrayList<>();
  private final Map<String, Rule> events = new HashMap<>();
  private final Map<String, List<Rule>> attributes = new HashMap<>();
  private final Map<Rule, Integer> ranks = new HashMap<>();

  /** root: the folder that the package streams is in. */
  Model(Path root) throws IOException {
    for (String[] row : rows(root.resolve("streams/model/touchpoints.csv"))) {
      String role = row[5].isEmpty() ? null : row[5];
      touchpoints.put(row[0], new Touchpoint(MILESTONES.indexOf(row[2]), role));
    }
    for (String[] row : rows(root.resolve("streams/model/preferences.csv"))) {
      Rule rule = new Rule(row[0], row[1], row[2].toLowerCase(Locale.ROOT), row[3], row[4]);
      ranks.put(rule, ranks.size());
      switch (rule.source()) {
        case "field" -> fields.add(rule);
        case "touchpoint" -> events.put(rule.name(), rule);
        default -> attributes.computeIfAbsent(rule.name(), name -> new ArrayList<>()).add(rule);
      }
    }
  }

  private static List<String[]> rows(Path file) throws IOException {
    return Files.readAllLines(file).stream().skip(1).map(line -> line.split(",", -1)).toList();
  }

  Touchpoint touchpoint(String name) {
    return touchpoints.getOrDefault(name, UNKNOWN);
  }

  /** The (key, value) pairs that an interaction states, each key once; see streams/stitch/preferences.py. */
  List<Map.Entry<String, String>> stated(Interaction it) {
    Map<String, String> found = new LinkedHashMap<>();
    Rule event = events.get(it.getTouchpoint());
    if (event != null) {
      found.put(event.key(), event.value());
    }
    for (Rule rule : fields) {
      String value =
          switch (rule.name()) {
            case "meal_plan" -> it.getMealPlan();
            case "room_type" -> it.getRoomType();
            case "locale" -> it.getLocale();
            default -> throw new IllegalArgumentException("no field " + rule.name());
          };
      if (value != null && rule.value().equals("language")) {
        Matcher language = LANGUAGE.matcher(value);
        value = language.lookingAt() ? language.group().toLowerCase(Locale.ROOT) : null;
      }
      if (value != null) {
        found.put(rule.key(), value);
      }
    }
    if (!it.getAttributes().isEmpty()) {
      said(it, found);
    }
    return found.isEmpty() ? List.of() : List.copyOf(found.entrySet());
  }

  private void said(Interaction it, Map<String, String> found) {
    Map<String, Rule> best = new HashMap<>();
    for (Attribute attribute : it.getAttributes()) {
      String value = attribute.getValue().strip().toLowerCase(Locale.ROOT);
      for (Rule rule : attributes.getOrDefault(attribute.getKey(), List.of())) {
        if (value.isEmpty() || !(rule.match().isEmpty() || rule.match().equals(value))) {
          continue;
        }
        Rule known = best.get(rule.key());
        if (known == null || ranks.get(rule) < ranks.get(known)) {
          best.put(rule.key(), rule);
          found.put(rule.key(), rule.value().equals("*") ? value : rule.value());
        }
      }
    }
  }
}
