// The versions of the control database and how one becomes the next. A version that is published is never edited: a
// change is a new entry. An older Millrace refuses a newer database rather than guess.
import type { DatabaseSync } from 'node:sqlite'
import { MillraceError } from '../core/errors.ts'

const CATALOG = `
  create table pointers (name text primary key, location text not null, snapshot_id text, updated_ms integer not null) strict;
  create table offsets (pipeline text not null, topic text not null, partition integer not null, next integer not null,
    primary key (pipeline, topic, partition)) strict, without rowid;
  create table checkpoints (pipeline text primary key, location text not null, code text not null) strict;
  create table generations (pipeline text primary key, generation text not null) strict;
  create table cursors (name text primary key, value text not null) strict;
  create table changes (sequence integer primary key autoincrement, table_name text not null, snapshot_id text,
    committed_ms integer not null) strict;
  create table refreshes (model text primary key, inputs text not null, run_id text not null, committed_ms integer not null) strict;
`

const RUNS = `
  create table runs (id text primary key, name text not null, "trigger" text not null,
    status text not null check (status in ('queued', 'running', 'succeeded', 'failed', 'partial', 'cancelled')),
    queued_ms integer not null, started_ms integer, ended_ms integer, code text) strict;
  create index runs_by_time on runs (queued_ms);
  create index runs_open on runs (status) where status in ('queued', 'running');
  create table steps (run_id text not null references runs (id) on delete cascade, ordinal integer not null, relation text not null,
    status text not null, started_ms integer, body text not null, primary key (run_id, ordinal)) strict, without rowid;
  create index steps_by_relation on steps (relation, run_id);
`

const QUALITY = `
  create table check_results (id text primary key, set_name text not null, check_name text not null, relation text not null,
    severity text not null, rule text not null, status text not null check (status in ('pass', 'fail', 'error')), failed_rows integer,
    total_rows integer, value real, measured text, run_id text, snapshot_id text, ran_ms integer not null) strict;
  create index check_results_by_check on check_results (check_name, id);
  create index check_results_by_relation on check_results (relation, ran_ms);
`

const GOVERN = `
  create table tokens (id text primary key, user text not null, secret_hash text not null unique, roles text not null,
    attributes text not null, scopes text not null, created_ms integer not null, expires_ms integer, revoked_ms integer,
    last_used_ms integer) strict;
  create table audit (sequence integer primary key, at_ms integer not null, user text not null, roles text not null,
    action text not null, object text not null, detail text not null, outcome text not null, previous_hash text not null,
    hash text not null) strict;
  create index audit_by_time on audit (at_ms);
`

const OPERATE = `
  create table alerts (id text primary key, name text not null, state text not null check (state in ('firing', 'resolved')),
    since_ms integer not null, last_sent_ms integer, resolved_ms integer, detail text not null) strict;
  create unique index alerts_firing on alerts (name) where state = 'firing';
  create index alerts_by_time on alerts (since_ms);
  create table deployments (id text primary key, manifest text not null, code_hash text not null, applied_ms integer not null,
    applied_by text not null) strict;
  create index deployments_by_time on deployments (applied_ms);
`

// Tables of other namespaces than `main` were there before namespaces were: theirs become rows.
const ICEBERG_REST = `
  alter table pointers add column kind text not null default 'table' check (kind in ('table', 'view'));
  create table namespaces (name text primary key, properties text not null) strict;
  insert into namespaces values ('main', '{}');
  insert or ignore into namespaces select substr(name, 1, instr(name, '.') - 1), '{}' from pointers where instr(name, '.') > 0;
  create table finished_requests (key text primary key, request text not null, answer text not null, finished_ms integer not null) strict;
  create index finished_requests_by_time on finished_requests (finished_ms);
`

const INTENTS = `
  create table intents (id text primary key, request text not null, begun_ms integer not null) strict;
`

/** Entry i brings version i to version i + 1. */
const MIGRATIONS: readonly string[] = [CATALOG + RUNS + QUALITY + GOVERN + OPERATE, ICEBERG_REST, INTENTS]

/**
 * Brings the database to the newest version, one transaction a step, so that a crash leaves a whole version.
 * @throws MR_STORE_VERSION when the database is newer than this Millrace.
 */
export function migrate(database: DatabaseSync, path: string): void {
  database.exec('create table if not exists store_version (version integer not null) strict')
  const version = Number(database.prepare('select version from store_version').get()?.['version'] ?? 0)
  if (version > MIGRATIONS.length) {
    throw new MillraceError('MR_STORE_VERSION', `${path} has version ${version}, this Millrace knows ${MIGRATIONS.length}`, {
      fix: 'use the newer Millrace that wrote it, or restore a backup made before the upgrade',
    })
  }
  for (let next = version; next < MIGRATIONS.length; next++) {
    database.exec(`begin immediate; ${MIGRATIONS[next]} delete from store_version; insert into store_version values (${next + 1}); commit`)
  }
}
