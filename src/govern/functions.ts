// Lists of functions for the gate, per version of the engine. Everything that reads files, settings, catalogs, sequences or
// variables, runs SQL, waits, logs or fails on purpose is denied. The leaking ones were found by trying every scalar function
// on rows that a policy hides: the engine evaluates them on dictionary entries or before the policy's own filter.

export const DENIED_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['getenv', 'read_text', 'read_blob', 'query', 'query_table', 'nextval', 'currval', 'setseed', 'getvariable', 'current_setting', 'write_log'],
  ...['json_execute_serialized_sql', 'json_serialize_sql', 'json_deserialize_sql', 'json_serialize_plan', 'sql_auto_complete', 'parse_duckdb_log_message'],
  ...['current_user', 'session_user', 'user', 'current_role', 'current_database', 'current_catalog', 'current_schema', 'current_schemas', 'in_search_path', 'current_query', 'current_connection_id', 'current_query_id', 'current_transaction_id', 'txid_current'],
  ...['create_sort_key', 'vector_type', 'stats', 'error', 'finalize', 'combine', 'sleep', 'sleep_ms', 'checkpoint', 'force_checkpoint', 'add_parquet_key', 'which_secret'],
  ...['pg_get_viewdef', 'pg_get_constraintdef', 'pg_get_expr', 'obj_description', 'col_description', 'shobj_description', 'pg_typeof_oid', 'pg_size_pretty_database', 'pg_is_other_temp_schema', 'pg_my_temp_schema', 'pg_table_is_visible', 'pg_postmaster_start_time', 'pg_conf_load_time', 'pg_ts_config_is_visible'],
  ...['has_any_column_privilege', 'has_column_privilege', 'has_database_privilege', 'has_foreign_data_wrapper_privilege', 'has_function_privilege', 'has_language_privilege', 'has_schema_privilege', 'has_sequence_privilege', 'has_server_privilege', 'has_table_privilege', 'has_tablespace_privilege', 'inet_client_addr', 'inet_client_port', 'inet_server_addr', 'inet_server_port'],
])

/** Refused, or run in two stages, for callers to whom a policy hides rows. Measured on DuckDB 1.5.6. */
export const LEAKING_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['regexp_replace', 'regexp_full_match', 'regexp_matches', 'regexp_extract', 'regexp_extract_all', 'regexp_split_to_array', 'regexp_split_to_table', 'regexp_escape', 'string_split_regex', 'str_split_regex', '~', '!~'],
  ...['substr', 'substring', 'substring_grapheme', 'chr', 'hamming', 'mismatches', 'jaccard', 'epoch_ms', 'epoch_ns', 'to_timestamp', 'make_timestamp', 'make_timestamp_ms', 'make_timestamp_ns', 'make_timestamptz', 'make_date', 'make_time'],
  ...['format', 'printf', 'lpad', 'rpad', 'repeat', 'list_resize', 'array_resize', 'array_cosine_similarity', 'array_inner_product', 'array_distance', 'list_cosine_similarity', 'list_distance', 'list_inner_product', 'array_cross_product'],
])

/** Operators and constructs that the tree shows as functions and the catalog does not list. */
export const OPERATORS: ReadonlySet<string> = new Set([
  ...['+', '-', '*', '/', '%', '||', '~~', '!~~', '~~~', '!~~~', '~~*', '!~~*', '^', '**', '&', '|', '<<', '>>', '//', '~', '!~', '!', '->', '->>', '@>', '<@', '^@', '@', '&&'],
  ...['row', 'struct_pack', 'count_star', 'list_value', 'array_extract', 'struct_extract', 'exists', 'columns', 'unnest', 'coalesce', 'grouping', 'grouping_id', 'alias', 'ceil', 'in', 'between', 'not', 'like_escape', 'ilike_escape', 'not_like_escape', 'not_ilike_escape', 'map', 'array_slice', 'list_slice', 'contains', 'extract', 'date_part', 'position', 'trim', 'ltrim', 'rtrim', 'if', 'ifnull', 'nullif', 'main_disable_compressed_materialization'],
])

export const WINDOW_FUNCTIONS: ReadonlySet<string> = new Set(['row_number', 'rank', 'dense_rank', 'rank_dense', 'ntile', 'lag', 'lead', 'first_value', 'last_value', 'nth_value', 'percent_rank', 'cume_dist', 'first', 'last', 'fill'])
