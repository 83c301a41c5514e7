DROP VIEW contact_screens;
DROP FUNCTION iso_instant(timestamptz);
