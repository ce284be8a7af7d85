package peer;

import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import peer.state.Grievance;
import peer.state.Loose;
import peer.state.State;
import peer.state.Trip;

/** Where a customer's loose events and cases belong: streams/stitch/placement.py. */
record Placement(Map<String, List<Loose>> guests, Map<String, List<Loose>> visits, Map<String, String> homes) {
  private static final long WIDENING = 30L * 86_400_000;
  private static final Placement NOWHERE = new Placement(Map.of(), Map.of(), Map.of());
  private static final DateTimeFormatter CLOCK =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss.SSS'Z'").withZone(ZoneOffset.UTC);

  private record Span(long start, String ref, long end) {}

  static Placement of(State state) {
    if (state.getLoose().isEmpty() && state.getCases().isEmpty()) {
      return NOWHERE;
    }
    List<Span> spans = new ArrayList<>();
    for (Map.Entry<String, Trip> trip : state.getBookings().entrySet()) {
      spans.add(new Span(trip.getValue().getFirst(), trip.getKey(), trip.getValue().getLast()));
    }
    if (spans.size() > 1) {
      spans.sort(Comparator.comparingLong(Span::start).thenComparing(Span::ref));
    }
    Map<String, List<Loose>> guests = new HashMap<>();
    Map<String, List<Loose>> visits = new LinkedHashMap<>();
    List<Loose> loose = new ArrayList<>(state.getLoose());
    if (loose.size() > 1) {
      loose.sort(
          (one, other) -> {
            int order = Long.compare(one.getAt(), other.getAt());
            return order != 0
                ? order
                : Event.compareIds(one.getHigh(), one.getLow(), other.getHigh(), other.getLow());
          });
    }
    List<Loose> visit = null;
    long last = 0;
    for (Loose event : loose) {
      String ref = bookingAt(spans, event.getAt());
      if (ref != null) {
        guests.computeIfAbsent(ref, key -> new ArrayList<>()).add(event);
        continue;
      }
      if (visit == null || event.getAt() - last > WIDENING) {
        visit = new ArrayList<>();
        visits.put(key(event), visit);
      }
      visit.add(event);
      last = event.getAt();
    }
    Map<String, String> homes = new HashMap<>();
    state.getCases().forEach((id, one) -> homes.put(id, home(one, spans, visits)));
    return new Placement(guests, visits, homes);
  }

  /** The booking that a loose event belongs to, or null. */
  private static String bookingAt(List<Span> spans, long at) {
    Span chosen = null;
    for (Span span : spans) {
      if (span.start() - WIDENING <= at && at <= span.end() + WIDENING) {
        if (span.start() > at) {
          return chosen == null ? span.ref() : chosen.ref();
        }
        if (chosen == null || span.start() > chosen.start()) {
          chosen = span;
        }
      }
    }
    return chosen == null ? null : chosen.ref();
  }

  private static String key(Loose first) {
    return "visit/" + CLOCK.format(Instant.ofEpochMilli(first.getAt()))
        + String.format("-%08x", first.getHigh() >>> 32);
  }

  private static String home(Grievance one, List<Span> spans, Map<String, List<Loose>> visits) {
    String ref = one.getBookingRef() == null || one.getBookingRef().isEmpty()
        ? bookingAt(spans, one.getAt())
        : one.getBookingRef();
    if (ref != null) {
      return ref;
    }
    for (Map.Entry<String, List<Loose>> visit : visits.entrySet()) {
      List<Loose> members = visit.getValue();
      if (members.get(0).getAt() <= one.getAt() && one.getAt() <= members.get(members.size() - 1).getAt()) {
        return visit.getKey();
      }
    }
    return null;
  }

  /** Whether two lists hold the same events: the objects are those of one state. */
  static boolean same(List<Loose> one, List<Loose> other) {
    if (one == null || other == null || one.size() != other.size()) {
      return false;
    }
    for (int at = 0; at < one.size(); at++) {
      if (one.get(at) != other.get(at)) {
        return false;
      }
    }
    return true;
  }

  boolean moved(Placement before, String caseId) {
    return !before.homes.containsKey(caseId) || !Objects.equals(before.homes.get(caseId), homes.get(caseId));
  }
}
