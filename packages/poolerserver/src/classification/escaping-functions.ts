import { words } from "./builtin-functions.ts";
import { ADMINISTERS, WRITES_UNSEEN } from "./effect.ts";
import type { Effect } from "./effect.ts";

/**
 * Functions that PostgreSQL lets a read-only transaction call although they change more than that
 * transaction may. Those of extensions count wherever they are.
 */
const ESCAPING_GROUPS: readonly (readonly [effect: Effect, names: string])[] = [
  // Recovery, WAL, backups and the configuration of the server.
  [
    ADMINISTERS,
    `pg_promote pg_wal_replay_pause pg_wal_replay_resume pg_switch_wal pg_create_restore_point
    pg_log_standby_snapshot pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup
    pg_reload_conf pg_rotate_logfile pg_nextoid pg_stop_making_pinned_objects`,
  ],
  // Replication.
  [
    ADMINISTERS,
    `pg_create_logical_replication_slot pg_create_physical_replication_slot
    pg_copy_logical_replication_slot pg_copy_physical_replication_slot pg_drop_replication_slot
    pg_replication_slot_advance pg_sync_replication_slots pg_logical_slot_get_changes
    pg_logical_slot_get_binary_changes pg_logical_emit_message pg_replication_origin_create
    pg_replication_origin_drop pg_replication_origin_advance pg_replication_origin_session_setup
    pg_replication_origin_session_reset pg_replication_origin_xact_setup
    pg_replication_origin_xact_reset`,
  ],
  // Statistics that monitoring relies on.
  [
    ADMINISTERS,
    `pg_stat_reset pg_stat_reset_shared pg_stat_reset_single_table_counters
    pg_stat_reset_single_function_counters pg_stat_reset_slru pg_stat_reset_replication_slot
    pg_stat_reset_subscription_stats pg_stat_reset_backend_stats pg_stat_statements_reset`,
  ],
  // Files of the server.
  [
    ADMINISTERS,
    `lo_export pg_file_write pg_file_sync pg_file_rename pg_file_unlink
    pg_import_system_collations`,
  ],
  // Connections that the database opens by itself.
  [
    ADMINISTERS,
    `dblink dblink_exec dblink_connect dblink_connect_u dblink_open dblink_fetch
    dblink_send_query`,
  ],
  // SQL that is not seen: in a text, or behind the names of tables.
  [
    ADMINISTERS,
    `query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema
    table_to_xml table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema
    database_to_xml database_to_xml_and_xmlschema ts_stat crosstab crosstab2 crosstab3 crosstab4
    crosstabn crosstab_hash connectby xpath_table`,
  ],
  // Large objects: before PostgreSQL 16 only a standby refuses these.
  [
    WRITES_UNSEEN,
    `lo_creat lo_create lo_from_bytea lo_put lo_import lo_unlink lo_truncate lo_truncate64 lowrite`,
  ],
  // Indexes, visibility maps, and statistics of the planner.
  [
    WRITES_UNSEEN,
    `brin_summarize_new_values brin_summarize_range brin_desummarize_range gin_clean_pending_list
    pg_truncate_visibility_map heap_force_kill heap_force_freeze pg_restore_relation_stats
    pg_restore_attribute_stats pg_clear_relation_stats pg_clear_attribute_stats`,
  ],
];

/** By name, what a function does that a read-only transaction does not stop. */
export const ESCAPING_FUNCTIONS: ReadonlyMap<string, Effect> = new Map(
  ESCAPING_GROUPS.flatMap(([effect, names]) => words(names).map((name) => [name, effect] as const)),
);
