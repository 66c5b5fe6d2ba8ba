// The admin API as the console reads it: every route under /admin with the JSON that it answers. The server implements
// these types, the console imports them (types only), `test/console/fixture-server.ts` answers them with fixed data. They
// say only what the manifest, the lake, the control store and the metrics can know: words and layouts are the console's.
//
// Conventions. Times are epoch milliseconds (`...Ms` of an instant ends in `AtMs` or stands alone as `nowMs`, `startMs`).
// Counts, bytes and offsets are numbers below 2^53. Values of data are `Cell`, exactly as `POST /sql` prints them
// (CONTRACT.md: longs beyond 2^53-1 and decimals as strings, timestamps ISO 8601 UTC with microseconds). Snapshot ids are
// decimal text (63 bits). `null` = not known or never happened; an absent field = does not apply.
// Every answer carries `nowMs`, the server's clock, from which ages tick. Errors are `application/problem+json` (`Problem`).
// Every route runs under the caller's policy: relations that the caller may not see are absent from lists and 404 by name.
//
// | route | answers | notes |
// |---|---|---|
// | GET /admin/session | Session | who am I, roles I may act as, counts of the navigation |
// | GET /admin/events | text/event-stream | see `AdminEvent`; sent with fetch and a Bearer token, not EventSource |
// | GET /admin/overview | Overview | relations in project order, what needs attention, last runs, all streams' counters |
// | GET /admin/relations | Relations | the overview's table alone; also the catalog that SQL completion uses |
// | GET /admin/relations/:name | RelationDetail | 404 MR_NOT_FOUND when unknown or not visible |
// | GET /admin/relations/:name/rows?snapshot=&limit=&order=&desc=1&filter=col:op:value (repeatable) | RowsPage | newest first without `order`; limit <= 1000 |
// | GET /admin/relations/:name/schema | SchemaPage | |
// | GET /admin/relations/:name/quality | QualityPage | |
// | GET /admin/relations/:name/snapshots?limit=&before=sequence | SnapshotsPage | newest first |
// | GET /admin/relations/:name/lineage?up=2&down=2 | Lineage | the part of the graph around one relation |
// | GET /admin/lineage | Lineage | the whole graph |
// | GET /admin/streams | Streams | |
// | GET /admin/streams/:name?range=1h | StreamDetail | range: 1h, 24h, 7d |
// | GET /admin/runs?state=&hours=24&limit=&before=id | Runs | newest first |
// | GET /admin/runs/:id | RunDetail | |
// | POST /admin/runs | RunStarted | body RunRequest; 403 MR_ACCESS_DENIED unless `session.mayRun` |
// | POST /admin/relations/:name/backfill | BackfillState | administrators: a live model is computed again, or chosen intervals; GET says how far |
// | POST /admin/relations/:name/restore | Restored | administrators; body `{to}`, see `storage.ts`, as for the three below |
// | GET, POST /admin/relations/:name/tags | Tags | administrators; body of POST `{tag, snapshot?, maxAgeMs?}` |
// | POST /admin/relations/:name/tags/:tag/remove | Tags | administrators |
// | GET /admin/advice | `{advice}` | administrators |
// | POST /admin/runs/:id/resume | RunStarted | a new run of what failed and what waited for it |
// | GET /admin/dashboards | Dashboards | those that the caller's role may open |
// | GET /admin/dashboards/:name | DashboardDetail | layout only |
// | GET /admin/dashboards/:name/tiles/:index | TileAnswer | one request a tile, so that a tile fails alone |
// | POST /sql | SqlAnswer, SqlWritten | CONTRACT.md; additions that the console uses are in SqlRequest and SqlAnswer |
//
// Acting as another role (the SQL page's "As"): header `Millrace-As: <role>` and, where the role has attributes,
// `Millrace-As-Attributes: <JSON object>`; on any GET above and on POST /sql. Only roles of `session.roles`, else 403.
import type { CheckManifest, CheckSetManifest, DashboardManifest, Relation, TileManifest } from '../../define/manifest.ts'

/** A value of data as `POST /sql` prints it in JSON. */
export type Cell = string | number | boolean | null

export interface Clocked {
  /** The server's clock when it answered, epoch ms. */
  readonly nowMs: number
}

/** Error body, RFC 9457 with our members. */
export interface Problem {
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly fix?: string
  /** The user's file and line, `path:line`. */
  readonly at?: string
}

// --- session and events ---------------------------------------------------------------------------------------------

export interface RoleChoice {
  readonly name: string
  /** Attributes that must be given when acting as this role. */
  readonly attributes: readonly { readonly name: string; readonly type: string }[]
}

export interface Session extends Clocked {
  readonly project: string
  /** 'dev', 'start' environment's name. */
  readonly environment: string
  /** How it is deployed: 'embedded' for the single process. */
  readonly deployment: string
  readonly version: string
  /** Fingerprint of the project's code, short; null when it is not under version control. */
  readonly code: string | null
  readonly user: string
  readonly role: string
  /** Roles that the caller may act as on the SQL page; the own role first. */
  readonly roles: readonly RoleChoice[]
  /** May start, resume and retry runs. */
  readonly mayRun: boolean
  readonly counts: {
    readonly relations: number
    readonly streams: number
    readonly dashboards: number
    /** Subjects (relations, sinks) whose last run failed. */
    readonly failing: number
  }
}

/**
 * What `/admin/events` sends. `event: hello` once, at the start of each connection; `event: changed` at most once a second
 * with the kinds of answers that changed since; a comment line every 15 s keeps it open. `data:` is this object's JSON.
 */
export type AdminEvent =
  | { readonly event: 'hello'; readonly nowMs: number }
  | { readonly event: 'changed'; readonly nowMs: number; readonly keys: readonly ChangedKey[] }

/** Kind, then a name when only one thing of the kind changed. 'relation' covers all its tabs and the lists that show it. */
export type ChangedKey = readonly [kind: 'relation' | 'stream' | 'run' | 'dashboard' | 'session' | 'lineage', name?: string]

// --- relations ------------------------------------------------------------------------------------------------------

export type FreshState = 'fresh' | 'late' | 'empty' | 'unknown'

export interface Freshness {
  /** `late`: older than its target. `empty`: nothing has arrived yet. `unknown`: no target, or not measured. */
  readonly state: FreshState
  /** The instant up to which the data is complete; its age is now minus this. Null when empty. */
  readonly asOfMs: number | null
  readonly targetMs: number | null
  /** Set for what is kept live: the delay of a row from arrival to being readable. It is shown instead of the age. */
  readonly lagMs?: number
  /** Why it is late: its source fails, its own refresh fails, its live processing has stopped, or it waits for an input. */
  readonly why?: {
    readonly kind: 'source' | 'run' | 'stopped' | 'waits'
    readonly on?: string
    readonly runId?: string
    readonly sinceMs?: number
  }
}

export interface CheckCounts {
  readonly total: number
  readonly passed: number
  /** Failing now, by severity. */
  readonly warned: number
  readonly blocked: number
  readonly quarantining: number
  /** Rows that checks have set aside and nobody has accepted. */
  readonly setAside: number
  readonly lastAtMs: number | null
}

export interface RelationSummary {
  /** `name`, or `namespace.name` outside main. */
  readonly name: string
  readonly kind: 'stream' | 'table' | 'model'
  /** How it is made: streams 'http' or 'processor'; tables 'files', 'http', 'none'; models 'view', 'full', 'incremental', 'live'. */
  readonly how: string
  readonly doc: string | null
  readonly owner: string | null
  readonly tags: readonly string[]
  readonly freshness: Freshness
  /** Rows as a question sees them, but for `changes`; null for views and before the first row. */
  readonly rows: number | null
  /** Of a large relation with a key: rows by key in the hot tail that are not in `rows` yet, of which each replaces, adds or takes away one. */
  readonly changes?: number
  readonly bytes: number | null
  readonly files: number | null
  /** Rows that arrived in each of the last 13 hours, oldest first; empty when not counted. */
  readonly arrivals: readonly number[]
  /** Null when no check is defined on it. */
  readonly checks: CheckCounts | null
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

export interface Relations extends Clocked {
  readonly relations: readonly RelationSummary[]
}

/** Something that needs somebody now. */
export interface Attention {
  readonly kind: 'late' | 'run' | 'check' | 'rejected' | 'stopped' | 'rebuild' | 'flow'
  readonly severity: 'bad' | 'warn'
  /** The relation, sink or job. */
  readonly subject: string
  /** `subject` is a relation with a page. */
  readonly relation?: string
  readonly runId?: string
  readonly sinceMs: number
  /** What happened, one or two sentences with names and values. */
  readonly detail: string
  /** Relations and endpoints that wait for it. */
  readonly holdsBack: readonly string[]
  /** Rows set aside or rejected. */
  readonly rows?: number
}

/**
 * in = out + deduplicated + late + rejected, over the decided rows. `pending` rows were acknowledged and are not decided
 * yet; they are not in `in`. `skewed` rows are part of `out`.
 */
export interface Conservation {
  /** Start of the counted window; null = since the beginning. */
  readonly sinceMs: number | null
  readonly in: number
  readonly out: number
  readonly deduplicated: number
  readonly late: number
  readonly rejected: number
  readonly skewed: number
  readonly pending: number
  /** Partitions where it does not add up, with in minus the rest. Empty when it balances. */
  readonly unbalanced: readonly { readonly stream: string; readonly partition: number; readonly by: number }[]
}

/** A topic of Kafka that flows into a relation, or what a sink writes. */
export interface FlowSummary {
  readonly direction: 'in' | 'out'
  /** Of the relation that is fed, or the sink. */
  readonly name: string
  readonly relation: string
  readonly topic: string
  /** What the project calls the cluster. */
  readonly bus: string
  /** In: messages that are not in the log yet; out: rows that are committed and not written. Null while it is not known. */
  readonly lag: number | null
  readonly stopped: { readonly code: string; readonly message: string; readonly fix: string | null; readonly sinceMs: number } | null
}

export interface Overview extends Clocked {
  readonly relations: readonly RelationSummary[]
  /** Those of relations that the caller may count. */
  readonly flows: readonly FlowSummary[]
  /** Worst first. */
  readonly attention: readonly Attention[]
  /** At most 6, newest first. */
  readonly runs: readonly RunSummary[]
  /** Sum over all streams; null without streams. */
  readonly conservation: Conservation | null
}

export interface RelationDetail extends Clocked {
  readonly relation: RelationSummary
  /** The definition, as compiled. */
  readonly manifest: Relation
  readonly counts: { readonly checks: number; readonly snapshots: number }
  /** Current snapshot; null before the first commit and for views. */
  readonly snapshot: { readonly id: string; readonly sequence: number; readonly committedAtMs: number } | null
  /** Whether reads take rows of the log that are not committed yet. */
  readonly tail: boolean
  readonly rowsToday: number | null
  /** What a live model keeps to go on from; null for others, and where the caller may not count its rows. */
  readonly state: { readonly memoryBytes: number; readonly spilledBytes: number } | null
  /** Roles with a read grant; `limited` where a policy or mask narrows it. */
  readonly readers: readonly { readonly role: string; readonly limited: boolean }[]
  readonly lastRun: {
    readonly id: string
    readonly state: RunState
    readonly startedAtMs: number
    readonly durationMs: number | null
    readonly note: string | null
  } | null
}

export interface ColumnInfo {
  readonly name: string
  readonly type: string
  readonly unit?: string
}

export interface RowsPage extends Clocked {
  readonly columns: readonly ColumnInfo[]
  readonly rows: readonly (readonly Cell[])[]
  /** Rows that match the filters; null when counting would read too much. */
  readonly matched: number | null
  readonly total: number | null
  readonly snapshot: { readonly id: string; readonly sequence: number } | null
  readonly tail: boolean
  readonly durationMs: number
  readonly policy: PolicyNote
}

/** What the caller's policy did to an answer. */
export interface PolicyNote {
  readonly rowFilter: boolean
  /** Result columns that a mask changed. */
  readonly masked: readonly string[]
}

export interface SchemaPage extends Clocked {
  readonly columns: readonly ColumnDetail[]
  readonly profiledAtMs: number | null
  /** Newest first. */
  readonly changes: readonly {
    readonly atMs: number
    readonly kind: 'first' | 'compatible' | 'breaking'
    /** '`orders` added, long'. */
    readonly summary: string
    readonly code: string | null
  }[]
}

export interface ColumnDetail extends ColumnInfo {
  readonly optional: boolean
  readonly key: boolean
  readonly doc?: string
  readonly pii?: string
  /** `relation.column` that it is made from. */
  readonly from: readonly string[]
  /** From the lake's column statistics or a profile; null parts are not known. */
  readonly profile: {
    readonly nullShare: number | null
    readonly distinct: number | null
    readonly least: Cell
    readonly greatest: Cell
    /** Counts of equally wide bins between least and greatest. */
    readonly spread: readonly number[] | null
  } | null
}

export type CheckStatus = 'pass' | 'warn' | 'block' | 'quarantine' | 'error' | 'never'

export interface CheckResult {
  readonly check: CheckManifest
  /** `pass`, `never` ran, `error` = it could not run; the others = it fails, by its severity. */
  readonly status: CheckStatus
  readonly atMs: number | null
  readonly runId: string | null
  /** Rows that fail, of rows looked at. */
  readonly found: number | null
  readonly of: number | null
  /** What it measured where that is not a count of rows: '3 min', '49, expected 38 to 66'. */
  readonly measured: string | null
  /** Worst status of each of the last 30 days, oldest first; 'never' = not run that day. */
  readonly history: readonly CheckStatus[]
}

export interface QualityPage extends Clocked {
  readonly sets: readonly { readonly set: Omit<CheckSetManifest, 'checks'>; readonly results: readonly CheckResult[] }[]
  readonly targetMs: number | null
  /** Rows that checks set aside, newest first, at most 100: columns `_ingested_at, code, field, message, raw`. */
  readonly setAside: { readonly check: string; readonly rows: RowsPage } | null
}

export interface SnapshotInfo {
  readonly id: string
  readonly sequence: number
  readonly committedAtMs: number
  readonly operation: 'append' | 'overwrite' | 'replace' | 'delete'
  readonly run: { readonly id: string; readonly name: string } | null
  readonly added: number | null
  readonly removed: number | null
  readonly rows: number | null
  readonly files: number | null
  readonly bytes: number | null
  /** Snapshots of the inputs that it was made from. */
  readonly inputs: readonly { readonly relation: string; readonly sequence: number; readonly id: string }[]
  readonly code: string | null
  /** Branch or tag names that point at it. */
  readonly refs: readonly string[]
  /** 'compaction', 'code change', '26 days' and the like. */
  readonly note: string | null
}

export interface SnapshotsPage extends Clocked {
  readonly snapshots: readonly SnapshotInfo[]
  readonly total: number
  readonly bytes: number | null
  readonly keepMs: number | null
}

// --- lineage --------------------------------------------------------------------------------------------------------

export type NodeKind = 'source' | 'stream' | 'table' | 'model' | 'processor' | 'endpoint' | 'dashboard' | 'sink' | 'alert'

export interface NodeFlow extends Pick<FlowSummary, 'topic' | 'bus' | 'lag' | 'stopped'> {
  readonly format: 'json' | 'avro' | 'protobuf'
  /** Of a sink, columns of the message's key; empty = messages have none. */
  readonly key?: readonly string[]
  /** Of a sink: how long a row of a live relation may wait before it is written. */
  readonly everyMs?: number
}

export interface LineageNode {
  /** `<kind>:<name>`; relations are `relation:<name>`. */
  readonly id: string
  readonly kind: NodeKind
  readonly name: string
  /** 'incremental', 'http', '3 tiles'. */
  readonly note: string
  /** Relations only. */
  readonly freshness?: Freshness
  readonly checks?: CheckCounts | null
  /** Sinks, and sources that are topics. */
  readonly flow?: NodeFlow
  readonly at?: string
  readonly doc?: string
  readonly columns: readonly {
    readonly name: string
    readonly type: string
    readonly unit?: string
    readonly pii?: string
    readonly made?: string
  }[]
}

export interface Lineage extends Clocked {
  readonly nodes: readonly LineageNode[]
  /** `stopped`: nothing passes at the moment (the source fails or the input is held back). */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly stopped: boolean }[]
  /** `value`: makes the value; `filter`: joins, filters or groups. */
  readonly columns: readonly {
    readonly from: { readonly node: string; readonly column: string }
    readonly to: { readonly node: string; readonly column: string }
    readonly role: 'value' | 'filter'
    readonly note: string
  }[]
}

// --- streams --------------------------------------------------------------------------------------------------------

export interface StreamSummary {
  readonly name: string
  readonly source: 'http' | 'processor' | 'kafka'
  readonly doc: string | null
  readonly partitions: number
  readonly ratePerSecond: number | null
  /** The longest from arrival to readable, last minute. */
  readonly lagMaxMs: number | null
  /** The oldest partition's watermark; null without event time or before the first row. */
  readonly watermarkMs: number | null
  /** Partitions whose watermark is behind the others by more than the lateness. */
  readonly behind: readonly number[]
  /** Processing stopped with this error. */
  readonly stopped: { readonly code: string; readonly message: string; readonly sinceMs: number } | null
  readonly conservation: Conservation
}

export interface Streams extends Clocked {
  readonly streams: readonly StreamSummary[]
}

/** Points at `startMs + i * stepMs`; null where nothing was measured. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | null)[]
}

export interface StreamDetail extends Clocked {
  readonly stream: StreamSummary
  readonly key: string | null
  readonly time: string | null
  readonly latenessMs: number
  readonly maxSkewMs: number | null
  readonly at: string
  readonly owner: string | null
  readonly series: {
    readonly startMs: number
    readonly stepMs: number
    /** Rows a second: 'in', 'out'. */
    readonly rate: readonly Series[]
    /** Milliseconds, one for each reader of the stream (p99). */
    readonly lag: readonly Series[]
    /** Milliseconds behind now, one for each partition, named by its number. */
    readonly watermark: readonly Series[]
  }
  readonly partitions: readonly {
    readonly partition: number
    readonly endOffset: number
    readonly committedOffset: number
    readonly watermarkMs: number | null
    /** Share of the last 24 h's rows, 0 to 1. */
    readonly share: number | null
  }[]
  readonly rejected: {
    readonly total: number
    /** Most rows first. */
    readonly groups: readonly {
      readonly code: string
      readonly field: string | null
      readonly rows: number
      readonly firstAtMs: number
      readonly lastAtMs: number
      /** Start of the newest row's text, at most 200 characters. Null where a policy hides it. */
      readonly newest: string | null
    }[]
  }
}

// --- runs -----------------------------------------------------------------------------------------------------------

/** `partial`: some steps failed, others are done. */
export type RunState = 'queued' | 'running' | 'done' | 'failed' | 'partial' | 'cancelled'

export interface RunSummary {
  readonly id: string
  /** The job, the asset, or 'after orders'. */
  readonly name: string
  /** 'cron 30 * * * * Europe/London', 'every 15 minutes', 'orders committed', 'by administrator'. */
  readonly trigger: string
  readonly state: RunState
  readonly startedAtMs: number
  readonly endedAtMs: number | null
  readonly steps: { readonly total: number; readonly done: number; readonly failed: number; readonly skipped: number }
}

export interface Runs extends Clocked {
  readonly runs: readonly RunSummary[]
  /** In the asked window, before `limit`. */
  readonly total: number
  readonly failed: number
  /** One bar an hour of the window, oldest first (one a day when the window is longer than 48 h). */
  readonly buckets: readonly { readonly startMs: number; readonly runs: number; readonly failed: number }[]
  /** Give as `before` for the next page. */
  readonly next: string | null
}

export type StepState = 'waiting' | 'running' | 'done' | 'failed' | 'skipped'

export interface RunError {
  readonly code: string
  readonly message: string
  readonly fix?: string
  readonly at?: string
}

export interface RunStep {
  /** 'products.load', 'orders.checks', 'daily_revenue'. */
  readonly name: string
  readonly relation: string | null
  /** '1 of 305 days', '8 checks', 'full'. */
  readonly note: string | null
  readonly state: StepState
  readonly startedAtMs: number | null
  readonly endedAtMs: number | null
  readonly tries: readonly { readonly startedAtMs: number; readonly endedAtMs: number | null; readonly error: string | null }[]
  /** Steps that it waits for, when it did not start. */
  readonly waitsOn: readonly string[]
  readonly rows: number | null
  readonly error: RunError | null
  readonly log: readonly { readonly atMs: number; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string }[]
  /** What it committed. */
  readonly effects: readonly {
    readonly relation: string
    readonly snapshot: { readonly id: string; readonly sequence: number }
    readonly added: number | null
    readonly removed: number | null
  }[]
  /** Of a step of maintenance: the files that it looked at, before and after. */
  readonly saved: {
    readonly filesBefore: number
    readonly filesAfter: number
    readonly bytesBefore: number
    readonly bytesAfter: number
  } | null
  /** The statement that it ran, and what the engine measured. */
  readonly sql: string | null
  readonly query: {
    readonly cpuMs: number | null
    readonly peakBytes: number | null
    readonly readBytes: number | null
    readonly rowsRead: number | null
  } | null
}

export interface RunDetail extends Clocked {
  readonly run: RunSummary
  readonly code: string | null
  readonly zone: string | null
  /** In the order they were planned. */
  readonly steps: readonly RunStep[]
  /** The first failure with what it left behind, one sentence: 'Nothing was committed by this step.' */
  readonly failure: { readonly step: string; readonly error: RunError; readonly left: string } | null
  readonly mayResume: boolean
  /** Relations and endpoints that are late because of it. */
  readonly holdsBack: readonly string[]
}

export interface RunRequest {
  /** Relations to load or refresh, with what they need. */
  readonly assets?: readonly string[]
  /** Relations whose checks to run without refreshing. */
  readonly checks?: readonly string[]
}

export interface RunStarted extends Clocked {
  /** Null when there was nothing to run: the checks that were asked for are done. */
  readonly id: string | null
}

// --- dashboards -----------------------------------------------------------------------------------------------------

export interface Dashboards extends Clocked {
  readonly dashboards: readonly {
    readonly name: string
    readonly title: string
    readonly at: string
    readonly tiles: number
    readonly inputs: readonly string[]
  }[]
}

export interface DashboardDetail extends Clocked {
  readonly dashboard: Omit<DashboardManifest, 'tiles' | 'allow'>
  /** Without their SQL's text where a policy limits the caller. */
  readonly tiles: readonly Pick<TileManifest, 'kind' | 'title' | 'inputs' | 'x' | 'y' | 'by' | 'unit' | 'span'>[]
}

/**
 * The rows of one tile. number: first row; `y[0]` is the figure, every further column is a line below it. line, bar: `x`,
 * one series for each of `y`, or one for each value of `by`. heat: `x` across, `by` down, `y[0]` the shade. table: as is.
 */
export interface TileAnswer extends Clocked {
  readonly columns: readonly ColumnInfo[]
  readonly rows: readonly (readonly Cell[])[]
  readonly sources: readonly { readonly relation: string; readonly freshness: Freshness }[]
  readonly policy: PolicyNote
}

// --- sql ------------------------------------------------------------------------------------------------------------

export interface SqlRequest {
  readonly sql: string
  readonly params?: readonly Cell[] | Readonly<Record<string, Cell>>
  /** 'committed' leaves the hot tail out. Absent = with the tail. */
  readonly freshness?: 'committed'
  /** Refuses a statement that changes rows: of text that nobody has looked at, as in a link. */
  readonly readOnly?: true
}

/** JSON answer of `POST /sql` to a statement that changes rows. */
export interface SqlWritten {
  readonly relation: string
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly offsets: readonly { readonly partition: number; readonly first: number; readonly last: number }[]
  readonly dryRun?: boolean
  readonly durationMs: number
}

/** JSON answer of `POST /sql`; the optional members are additions that the console shows when they are there. */
export interface SqlAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly (readonly Cell[])[]
  readonly snapshots: Readonly<Record<string, string>>
  readonly tail: boolean
  readonly durationMs?: number
  readonly readBytes?: number
  readonly policy?: PolicyNote
  /** More rows than the limit of an answer existed. */
  readonly truncated?: boolean
}
