-- Runs after every migration. Text is compared byte by byte, as SQLite does it, whatever the database's locale says.

DO $$
DECLARE
    place RECORD;
BEGIN
    FOR place IN
        SELECT c.table_name, c.column_name
        FROM information_schema.columns AS c
        JOIN information_schema.tables AS t USING (table_schema, table_name)
        WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND t.table_name <> '_sqlx_migrations'
            AND c.data_type = 'text' AND c.collation_name IS DISTINCT FROM 'C'
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN %I TYPE TEXT COLLATE "C"', place.table_name, place.column_name);
    END LOOP;
END $$;
