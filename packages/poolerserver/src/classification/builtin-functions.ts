import { Taint } from "./taint.ts";
import type { TaintSet } from "./taint.ts";

/**
 * Functions of pg_catalog that leave something in the session. What runs SQL or reads a value by the
 * name of a type that it gets as text can leave anything. `set_config` is judged by its arguments
 * where these can be seen.
 */
const TAINTING_GROUPS: readonly (readonly [taint: TaintSet, names: string])[] = [
  [Taint.Settings | Taint.Seed, "set_config"],
  [Taint.Seed, "setseed"],
  [Taint.Sequences, "nextval setval"],
  [
    Taint.Locks,
    `pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all`,
  ],
  [
    Taint.Unknown,
    `query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema
    table_to_xml table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema
    database_to_xml database_to_xml_and_xmlschema ts_stat ts_rewrite
    pg_input_is_valid pg_input_error_info domain_in domain_recv array_in array_recv record_in
    record_recv range_in range_recv multirange_in multirange_recv`,
  ],
  [
    Taint.Lasting,
    `pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup
    pg_replication_origin_session_setup pg_replication_origin_session_reset
    pg_create_logical_replication_slot pg_create_physical_replication_slot
    pg_copy_logical_replication_slot pg_copy_physical_replication_slot`,
  ],
];

/** By name, what a function of pg_catalog leaves. */
export const BUILTIN_TAINTS: ReadonlyMap<string, TaintSet> = new Map(
  TAINTING_GROUPS.flatMap(([taint, names]) => words(names).map((name) => [name, taint] as const)),
);

/**
 * By name, what a function of an extension leaves whose code cannot be read. They count wherever they
 * are, since a user's function of the same name is hardly anything else.
 */
export const EXTENSION_TAINTS: ReadonlyMap<string, TaintSet> = new Map([
  ...words("dblink_connect dblink_connect_u dblink_disconnect dblink_open dblink_send_query").map(
    (name) => [name, Taint.Lasting] as const,
  ),
  ...words("crosstab crosstab2 crosstab3 crosstab4 crosstabn connectby xpath_table").map(
    (name) => [name, Taint.Unknown] as const,
  ),
  ["set_limit", Taint.Settings],
]);

/** Extensions in C whose volatile functions leave nothing in the session. */
export const HARMLESS_EXTENSIONS: ReadonlySet<string> = new Set(
  words(`amcheck autoinc btree_gin btree_gist citext cube earthdistance fuzzystrmatch hstore
  insert_username intarray isn lo ltree moddatetime pageinspect pg_buffercache pg_freespacemap
  pg_prewarm pg_stat_statements pg_trgm pg_visibility pg_walinspect pgcrypto pgrowlocks pgstattuple
  postgis postgis_raster postgis_topology refint seg sslinfo tcn tsm_system_rows tsm_system_time
  unaccent uuid-ossp vector`),
);

/** Volatile functions of pg_catalog that neither write nor wait. Others may. */
export const PROMPT_VOLATILE_FUNCTIONS: ReadonlySet<string> = new Set(
  words(`clock_timestamp current_query currval gen_random_uuid lastval pg_blocking_pids
  pg_cancel_backend pg_column_compression pg_column_size pg_current_wal_flush_lsn pg_current_wal_insert_lsn
  pg_current_wal_lsn pg_current_xact_id_if_assigned pg_cursor pg_get_backend_memory_contexts
  pg_is_in_recovery pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_last_committed_xact
  pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_listening_channels
  pg_lock_status pg_notification_queue_usage pg_prepared_statement pg_safe_snapshot_blocking_pids
  pg_show_all_file_settings pg_stat_get_activity pg_stat_get_wal_receiver pg_stat_get_wal_senders
  pg_typeof random random_normal set_config timeofday uuidv4 uuidv7 version`),
);

/** A list of words, as it stands in the tables of this folder. */
export function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
