DELETE FROM qualifications
WHERE id IN ('qual-90', 'qual-91', 'qual-92', 'qual-93', 'qual-94', 'qual-95', 'qual-96', 'qual-97', 'qual-99', 'qual-101');
DROP INDEX contact_notes_by_time, agent_sessions_by_user;
DROP VIEW screens, call_screens, session_screens, note_screens, callback_screens;
DROP VIEW contact_screens;
DROP FUNCTION iso_instant(timestamptz);
