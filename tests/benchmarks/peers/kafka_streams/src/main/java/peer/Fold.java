package peer;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import peer.state.Answer;
import peer.state.Grievance;
import peer.state.Loose;
import peer.state.Lowest;
import peer.state.Rolling;
import peer.state.State;
import peer.state.Stated;
import peer.state.Trip;

/** How an event changes the state of its subject: streams/stitch/summary.py, journey.py, case.py and rolling.py. */
final class Fold {
  private static final double DAY = 86_400_000.0;
  private static final double TAU_7 = 7 * DAY / Math.log(2);
  private static final double TAU_30 = 30 * DAY / Math.log(2);
  private static final double TAU_90 = 90 * DAY / Math.log(2);

  private Fold() {}

  static State empty() {
    return new State(
        0L, ByteBuffer.allocate(0), 0L, 0L, 0L, 0L, 0, new HashMap<>(), new ArrayList<>(), new HashMap<>(),
        new Rolling(0L, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), new HashMap<>());
  }

  /** Whether the event is known; it is noted. */
  static boolean known(State state, Event event) {
    long hash = event.high() ^ Long.rotateLeft(event.low(), 32);
    ByteBuffer seen = state.getSeen();
    for (int at = seen.position(); at < seen.limit(); at += 8) {
      if (seen.getLong(at) == hash) {
        return true;
      }
    }
    ByteBuffer more = ByteBuffer.allocate(seen.remaining() + 8);
    more.put(seen.duplicate()).putLong(hash).flip();
    state.setSeen(more);
    return false;
  }

  /** Adds an event that is not known yet; returns the id of its case, or null. */
  static String add(State state, Event event) {
    long at = event.at();
    state.setInteractions(state.getInteractions() + 1);
    if (state.getFirst() == 0 || at < state.getFirst()) {
      state.setFirst(at);
    }
    state.setLast(Math.max(state.getLast(), at));
    if (event.bookingRef() == null) {
      boolean scored = event.score() != null;
      state.getLoose().add(
          new Loose(at, event.high(), event.low(), event.channel(), event.milestone(), event.touchpoint(), scored,
              scored ? event.score() : 0L, event.instrument(), event.answer(), event.currency(), event.amount()));
    } else {
      Trip trip = state.getBookings().computeIfAbsent(event.bookingRef(), ref -> trip());
      extend(trip, at, event.channel(), event.milestone());
      if (event.score() != null) {
        score(trip, event.score(), at, event.high(), event.low(), event.touchpoint());
      }
      if (event.instrument() >= 0) {
        answer(trip, event.instrument(), at, event.high(), event.low(), event.answer());
      }
      if (event.currency() != null) {
        trip.getSpend().merge(event.currency(), event.amount(), Long::sum);
      }
    }
    if (event.score() != null) {
      roll(state.getRolling(), at, event.weight(), event.score() / 1e6);
    }
    for (Map.Entry<String, String> stated : event.preferences()) {
      prefer(state.getPreferences(), stated.getKey(), stated.getValue(), event);
    }
    String role = event.caseRole();
    if (role == null || (event.caseId() == null && !role.equals("open"))) {
      return null;
    }
    String caseId = event.caseId() == null ? event.id() : event.caseId();
    complain(state.getCases().get(caseId), state, caseId, event);
    return caseId;
  }

  static Trip trip() {
    return new Trip(0L, 0L, new ArrayList<>(List.of(0L, 0L, 0L, 0L)),
        new ArrayList<>(List.of(0L, 0L, 0L, 0L, 0L, 0L)), 0L, 0L, null, new ArrayList<>(), new HashMap<>());
  }

  /** A copy, into which others may be joined. */
  static Trip copy(Trip trip) {
    return new Trip(trip.getFirst(), trip.getLast(), new ArrayList<>(trip.getChannels()),
        new ArrayList<>(trip.getMilestones()), trip.getScoreSum(), trip.getScoreCount(), trip.getLowest(),
        new ArrayList<>(trip.getAnswers()), new HashMap<>(trip.getSpend()));
  }

  static void join(Trip trip, Loose loose) {
    extend(trip, loose.getAt(), loose.getChannel(), loose.getMilestone());
    if (loose.getScored()) {
      score(trip, loose.getScore(), loose.getAt(), loose.getHigh(), loose.getLow(), loose.getTouchpoint());
    }
    if (loose.getInstrument() >= 0) {
      answer(trip, loose.getInstrument(), loose.getAt(), loose.getHigh(), loose.getLow(), loose.getAnswer());
    }
    if (loose.getCurrency() != null) {
      trip.getSpend().merge(loose.getCurrency(), loose.getAmount(), Long::sum);
    }
  }

  private static void extend(Trip trip, long at, int channel, int milestone) {
    if (trip.getFirst() == 0 || at < trip.getFirst()) {
      trip.setFirst(at);
    }
    trip.setLast(Math.max(trip.getLast(), at));
    trip.getChannels().set(channel, trip.getChannels().get(channel) + 1);
    if (milestone >= 0 && at > trip.getMilestones().get(milestone)) {
      trip.getMilestones().set(milestone, at);
    }
  }

  private static void score(Trip trip, long score, long at, long high, long low, String touchpoint) {
    trip.setScoreSum(trip.getScoreSum() + score);
    trip.setScoreCount(trip.getScoreCount() + 1);
    Lowest known = trip.getLowest();
    if (known != null) {
      int order = Long.compare(score, known.getScore());
      order = order != 0 ? order : Long.compare(at, known.getAt());
      order = order != 0 ? order : Event.compareIds(high, low, known.getHigh(), known.getLow());
      if (order >= 0) {
        return;
      }
    }
    trip.setLowest(new Lowest(score, at, high, low, touchpoint));
  }

  private static void answer(Trip trip, int instrument, long at, long high, long low, double score) {
    List<Answer> answers = trip.getAnswers();
    while (answers.size() < 4) {
      answers.add(new Answer(0L, 0L, 0L, 0.0));
    }
    Answer known = answers.get(instrument);
    int order = Long.compare(at, known.getAt());
    order = order != 0 ? order : Event.compareIds(high, low, known.getHigh(), known.getLow());
    if (order > 0 || (order == 0 && score > known.getScore())) {
      answers.set(instrument, new Answer(at, high, low, score));
    }
  }

  private static void prefer(Map<String, Stated> known, String key, String value, Event event) {
    Stated before = known.get(key);
    if (before == null) {
      known.put(key, new Stated(event.at(), event.high(), event.low(), value, 1L));
      return;
    }
    before.setEvidence(before.getEvidence() + 1);
    int order = Long.compare(event.at(), before.getAt());
    order = order != 0 ? order : Event.compareIds(event.high(), event.low(), before.getHigh(), before.getLow());
    if (order > 0 || (order == 0 && value.compareTo(before.getValue()) > 0)) {
      before.setAt(event.at());
      before.setHigh(event.high());
      before.setLow(event.low());
      before.setValue(value);
    }
  }

  private static void complain(Grievance found, State state, String caseId, Event event) {
    long at = event.at();
    Grievance one = found;
    if (one == null) {
      one = new Grievance(0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, "", null, null);
      state.getCases().put(caseId, one);
    }
    String role = event.caseRole();
    if (role.equals("open") && (one.getOpened() == 0 || at < one.getOpened())) {
      one.setOpened(at);
    } else if (role.equals("response") && (one.getResponded() == 0 || at < one.getResponded())) {
      one.setResponded(at);
    } else if (role.equals("resolve") && at > one.getResolved()) {
      one.setResolved(at);
    } else if (role.equals("reopen") && at > one.getReopened()) {
      one.setReopened(at);
    }
    if (role.equals("open") || role.equals("contact") || role.equals("reopen")) {
      one.setContacts(one.getContacts() + 1);
    }
    int order = one.getAt() == 0 ? -1 : Long.compare(at, one.getAt());
    order = order != 0 ? order : Event.compareIds(event.high(), event.low(), one.getHigh(), one.getLow());
    if (order < 0) {
      one.setAt(at);
      one.setHigh(event.high());
      one.setLow(event.low());
      one.setTouchpoint(event.touchpoint());
      one.setUnit(event.unit());
      one.setBookingRef(event.bookingRef());
    }
  }

  private static void roll(Rolling sums, long at, double weight, double value) {
    double a7 = weight;
    double a30 = weight;
    double a90 = weight;
    if (sums.getAt() == 0) {
      sums.setAt(at);
    } else if (at > sums.getAt()) {
      age(sums, at);
    } else {
      double age = at - sums.getAt();
      a7 *= Math.exp(age / TAU_7);
      a30 *= Math.exp(age / TAU_30);
      a90 *= Math.exp(age / TAU_90);
    }
    sums.setW7(sums.getW7() + a7);
    sums.setS7(sums.getS7() + a7 * value);
    sums.setW30(sums.getW30() + a30);
    sums.setS30(sums.getS30() + a30 * value);
    sums.setQ30(sums.getQ30() + a30 * a30);
    sums.setW90(sums.getW90() + a90);
    sums.setS90(sums.getS90() + a90 * value);
  }

  private static void age(Rolling sums, long at) {
    double age = sums.getAt() - at;
    double f7 = Math.exp(age / TAU_7);
    double f30 = Math.exp(age / TAU_30);
    double f90 = Math.exp(age / TAU_90);
    sums.setAt(at);
    sums.setW7(sums.getW7() * f7);
    sums.setS7(sums.getS7() * f7);
    sums.setW30(sums.getW30() * f30);
    sums.setS30(sums.getS30() * f30);
    sums.setQ30(sums.getQ30() * f30 * f30);
    sums.setW90(sums.getW90() * f90);
    sums.setS90(sums.getS90() * f90);
  }

  /** The scores of 7, 30 and 90 days at a time not before the last event; null without any. */
  static double[] scores(Rolling sums, long at) {
    if (sums.getAt() == 0) {
      return null;
    }
    double age = sums.getAt() - at;
    double f7 = Math.exp(age / TAU_7);
    double f30 = Math.exp(age / TAU_30);
    double f90 = Math.exp(age / TAU_90);
    return new double[] {
      sums.getS7() * f7 / (sums.getW7() * f7 + 1),
      sums.getS30() * f30 / (sums.getW30() * f30 + 1),
      sums.getS90() * f90 / (sums.getW90() * f90 + 1)
    };
  }

  static double evidence(Rolling sums) {
    return sums.getQ30() > 0 ? sums.getW30() * sums.getW30() / sums.getQ30() : 0;
  }
}
