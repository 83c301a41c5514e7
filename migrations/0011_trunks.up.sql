-- What the exchange is told of a trunk, besides what the console knows of it. Null: none.
ALTER TABLE trunks
    -- Addresses and networks that its calls come from, separated by commas.
    ADD COLUMN match_addresses text,
    -- In order of preference, separated by commas.
    ADD COLUMN codecs text,
    -- The number in the From header of its calls.
    ADD COLUMN caller_id text;
