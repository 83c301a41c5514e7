DROP INDEX attempts_detected;
DROP INDEX attempts_answered;
ALTER TABLE attempts DROP COLUMN late;
