package peer;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import peer.state.Answer;
import peer.state.Grievance;
import peer.state.Lowest;
import peer.state.State;
import peer.state.Stated;
import peer.state.Trip;
import rihla.CaseStatus;
import rihla.Customer;
import rihla.Journey;
import rihla.JourneyKind;
import rihla.JourneyStatus;
import rihla.Move;
import rihla.Preference;
import rihla.Profile;
import rihla.Spend;

/** The records that a state publishes: streams/stitch/rows.py. */
final class Rows {
  private static final double MICRO = 1e6;
  static final int NEGATIVE = 0;
  static final int NON_COMMITTAL = 1;
  static final int ADVOCATE = 2;

  private Rows() {}

  static String customerId(String subject) {
    return subject.startsWith("customer:") ? subject.substring("customer:".length()) : subject;
  }

  static double rounded(double value) {
    return Math.rint(value * MICRO) / MICRO;
  }

  /** Ordinal of a profile by its 30-day score. */
  static int profile(double score) {
    return score <= -0.25 ? NEGATIVE : score >= 0.25 ? ADVOCATE : NON_COMMITTAL;
  }

  static Journey journey(
      String customer, String key, boolean booking, Trip span, Trip trip, List<Grievance> cases, long version) {
    Journey row = new Journey();
    row.setJourneyId(customer + "/" + key);
    row.setCustomerId(customer);
    row.setBookingRef(booking ? key : null);
    row.setKind(booking ? JourneyKind.booking : JourneyKind.visit);
    row.setStatus(status(trip));
    row.setStartedAt(trip.getFirst());
    row.setLastEventAt(trip.getLast());
    row.setSpanStart(span == null ? null : span.getFirst());
    row.setSpanEnd(span == null ? null : span.getLast());
    List<Long> milestones = trip.getMilestones();
    row.setBookedAt(orNull(milestones.get(0)));
    row.setCancelledAt(orNull(milestones.get(1)));
    row.setNoShowAt(orNull(milestones.get(2)));
    row.setCheckedInAt(orNull(milestones.get(3)));
    row.setArrivedAt(orNull(milestones.get(4)));
    row.setCheckedOutAt(orNull(milestones.get(5)));
    List<Long> channels = trip.getChannels();
    row.setInteractions(channels.get(0) + channels.get(1) + channels.get(2) + channels.get(3));
    row.setBookingInteractions(channels.get(0));
    row.setCheckInInteractions(channels.get(1));
    row.setStayInteractions(channels.get(2));
    row.setPostTravelInteractions(channels.get(3));
    row.setScoreSum(trip.getScoreSum() / MICRO);
    row.setScoreCount(trip.getScoreCount());
    Lowest lowest = trip.getLowest();
    row.setLowestScore(lowest == null ? null : lowest.getScore() / MICRO);
    row.setLowestTouchpoint(lowest == null ? null : lowest.getTouchpoint());
    row.setNps(answer(trip, 0));
    row.setCsat(answer(trip, 1));
    row.setCes(answer(trip, 2));
    row.setStars(answer(trip, 3));
    List<Spend> spend = new ArrayList<>(trip.getSpend().size());
    new TreeMap<>(trip.getSpend()).forEach((currency, amount) -> spend.add(new Spend(currency, amount)));
    row.setSpend(spend);
    row.setCasesOpened(cases.stream().filter(one -> one.getOpened() != 0).count());
    row.setCasesResolved(cases.stream().filter(Rows::isResolved).count());
    row.setVersion(version);
    row.setWithdrawn(false);
    return row;
  }

  static Customer customer(String subject, String id, State state, long journeys) {
    int colon = subject.indexOf(':');
    double[] scores = Fold.scores(state.getRolling(), state.getLast());
    Customer row = new Customer();
    row.setCustomerId(id);
    row.setKind(subject.substring(0, colon));
    row.setValue(subject.substring(colon + 1));
    row.setProfile(Profile.values()[scores == null ? NON_COMMITTAL : profile(rounded(scores[1]))]);
    row.setSentiment7d(scores == null ? null : rounded(scores[0]));
    row.setSentiment30d(scores == null ? null : rounded(scores[1]));
    row.setSentiment90d(scores == null ? null : rounded(scores[2]));
    row.setEvidence(rounded(Fold.evidence(state.getRolling())));
    row.setInteractions(state.getInteractions());
    row.setJourneys(journeys);
    row.setFirstEventAt(state.getFirst());
    row.setLastEventAt(state.getLast());
    row.setOpenCases(state.getCases().values().stream().filter(one -> !isResolved(one)).count());
    row.setDuplicates(state.getDuplicates());
    List<Preference> preferences = new ArrayList<>(state.getPreferences().size());
    for (Map.Entry<String, Stated> one : new TreeMap<>(state.getPreferences()).entrySet()) {
      Stated stated = one.getValue();
      preferences.add(new Preference(one.getKey(), stated.getValue(), stated.getEvidence(), stated.getAt()));
    }
    row.setPreferences(preferences);
    row.setConsents(List.of());
    row.setVersion(state.getVersion());
    row.setWithdrawn(false);
    return row;
  }

  static rihla.Case complaint(String customer, String id, Grievance one, String journey, long version) {
    rihla.Case row = new rihla.Case();
    row.setCaseId(id);
    row.setCustomerId(customer);
    row.setJourneyId(journey == null ? null : customer + "/" + journey);
    row.setStatus(isResolved(one) ? CaseStatus.resolved : CaseStatus.open);
    row.setTouchpoint(one.getTouchpoint());
    row.setUnit(one.getUnit());
    row.setOpenedAt(orNull(one.getOpened()));
    row.setFirstResponseAt(orNull(one.getResponded()));
    row.setResolvedAt(orNull(one.getResolved()));
    row.setReopenedAt(orNull(one.getReopened()));
    row.setContacts(one.getContacts());
    row.setVersion(version);
    row.setWithdrawn(false);
    return row;
  }

  /** A move between profiles. Its id is made with SHA-256, as Java has no BLAKE2b; nobody compares moves. */
  static Move move(String customer, int from, int to, Event event, double score, State state) {
    Profile[] profiles = Profile.values();
    Move row = new Move();
    row.setMoveId(digest(String.join("\0", customer, profiles[from].name(), profiles[to].name(), event.id())));
    row.setCustomerId(customer);
    row.setFromProfile(profiles[from]);
    row.setToProfile(profiles[to]);
    row.setTouchpoint(event.touchpoint());
    row.setEventId(event.id());
    row.setJourneyId(event.bookingRef() == null ? null : customer + "/" + event.bookingRef());
    row.setUnit(event.unit());
    row.setScore(score);
    row.setEvidence(rounded(Fold.evidence(state.getRolling())));
    row.setOccurredAt(event.at());
    row.setVersion(state.getVersion());
    return row;
  }

  private static boolean isResolved(Grievance one) {
    return one.getResolved() != 0 && one.getResolved() >= Math.max(one.getOpened(), one.getReopened());
  }

  private static JourneyStatus status(Trip trip) {
    long latest = 0;
    int highest = -1;
    for (int milestone = 0; milestone < trip.getMilestones().size(); milestone++) {
      long at = trip.getMilestones().get(milestone);
      if (at != 0 && at >= latest) {
        latest = at;
        highest = milestone;
      }
    }
    return highest < 0 ? JourneyStatus.exploring : JourneyStatus.valueOf(Model.MILESTONES.get(highest));
  }

  private static Double answer(Trip trip, int instrument) {
    List<Answer> answers = trip.getAnswers();
    return answers.isEmpty() || answers.get(instrument).getAt() == 0 ? null : answers.get(instrument).getScore();
  }

  private static Long orNull(long at) {
    return at == 0 ? null : at;
  }

  private static String digest(String text) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(hash, 0, 16);
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException(missing);
    }
  }
}
