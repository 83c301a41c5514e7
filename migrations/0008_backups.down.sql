ALTER TABLE backups DROP COLUMN removed_at, DROP COLUMN asked_by;
