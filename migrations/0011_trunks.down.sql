ALTER TABLE trunks
    DROP COLUMN match_addresses,
    DROP COLUMN codecs,
    DROP COLUMN caller_id;
