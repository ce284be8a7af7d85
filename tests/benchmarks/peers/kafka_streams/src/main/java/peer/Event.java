package peer;

import java.util.List;
import java.util.Map;
import java.util.UUID;
import rihla.Interaction;

/** What the fold uses of an interaction. Times are epoch milliseconds; an event id is its two halves. */
record Event(
    long at,
    long high,
    long low,
    String bookingRef,
    String touchpoint,
    int channel,
    int milestone,
    String caseRole,
    String caseId,
    String unit,
    Long score,
    double weight,
    int instrument,
    double answer,
    String currency,
    long amount,
    List<Map.Entry<String, String>> preferences) {

  private static final double MICRO = 1e6;

  static Event of(Interaction it, Model model) {
    UUID id = UUID.fromString(it.getEventId());
    Model.Touchpoint point = model.touchpoint(it.getTouchpoint());
    Double score = it.getScore();
    return new Event(
        it.getOccurredAt(),
        id.getMostSignificantBits(),
        id.getLeastSignificantBits(),
        it.getBookingRef(),
        it.getTouchpoint(),
        it.getChannel().ordinal(),
        point.milestone(),
        point.caseRole(),
        it.getCaseId() == null || it.getCaseId().isEmpty() ? null : it.getCaseId(),
        it.getUnit(),
        score == null ? null : (long) (score * MICRO + (score >= 0 ? 0.5 : -0.5)),
        it.getScoreWeight() == null ? 0.0 : it.getScoreWeight(),
        it.getSurvey() == null ? -1 : it.getSurvey().getInstrument().ordinal(),
        it.getSurvey() == null ? 0.0 : it.getSurvey().getScore(),
        it.getMoney() == null ? null : it.getMoney().getCurrency(),
        it.getMoney() == null ? 0 : it.getMoney().getAmountMinor(),
        model.stated(it));
  }

  String id() {
    return new UUID(high, low).toString();
  }

  /** Order of event ids: of their bytes. */
  static int compareIds(long high, long low, long otherHigh, long otherLow) {
    int order = Long.compareUnsigned(high, otherHigh);
    return order != 0 ? order : Long.compareUnsigned(low, otherLow);
  }
}
