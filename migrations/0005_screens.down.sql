DELETE FROM qualifications
WHERE id IN ('qual-90', 'qual-91', 'qual-92', 'qual-93', 'qual-94', 'qual-95', 'qual-96', 'qual-97', 'qual-99', 'qual-101');
DROP VIEW screens;
DROP VIEW contact_screens;
DROP FUNCTION iso_instant(timestamptz);
