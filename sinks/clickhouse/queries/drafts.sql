-- Drafts
--
-- Messages to guests that wait for somebody to approve them: rihla guests approve MESSAGE_ID --person NAME.
--
-- columns:
--   message_id   To approve or reject it
--   kind         resolved: a case was; mended: what many complained of
--   occurred_at  When that was
--   unit         Unit that it is about
--   aspect       What the complaint was about
--   language     In which the guest is written to
--   channel      By which way
--   text         What is written
-- parameters:
--   unit String =      Only of this unit
SELECT message_id, kind, occurred_at, unit, aspect, language, channel, text
FROM messages
WHERE status = 'draft' AND ({unit:String} = '' OR unit = {unit:String})
ORDER BY occurred_at, message_id
