-- Who asked for a backup, and when its file was taken away: the row stays, so that it is known
-- when a backup was made last.
ALTER TABLE backups
    ADD COLUMN asked_by text REFERENCES users ON DELETE SET NULL,
    ADD COLUMN removed_at timestamptz;
