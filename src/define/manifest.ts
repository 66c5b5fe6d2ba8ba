// The manifest: a project as plain JSON. `plan/compile.ts` makes it from definitions; everything below reads only this.
// User functions (processors, endpoint bodies already printed to SQL) are not in it: they stay in the loaded project and
// are found by the definition's name. Names are `[namespace.]snake_case`; the default namespace is `main`.
import type { Shape } from '../schema/type.ts'

/** SQL text with parameters. `$1`, `$2`, ... in `text` are `params` (constants) or, in endpoints, `params[i]` names a request parameter. */
export interface SqlText {
  readonly text: string
  readonly params: readonly SqlParam[]
}

export type SqlParam =
  | { readonly kind: 'value'; readonly value: string | number | boolean | null; readonly type: string }
  | { readonly kind: 'request'; readonly name: string }

/** A value resolved when used, from the environment: never in the manifest, logs or lineage. */
export interface ConfigRef {
  readonly kind: 'config' | 'secret'
  readonly name: string
  readonly fallback?: string
}

export type Text = string | ConfigRef

export interface PartitionRule {
  readonly transform: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'bucket'
  readonly column: string
  /** Number of buckets, for `bucket`. */
  readonly buckets?: number
}

export interface Keep {
  readonly logMs: number
  /** Absent = for ever. */
  readonly tableMs?: number
  /** Column of time that says how old a row is; there with `tableMs`. */
  readonly by?: string
  /** Where `<name>__archive` lies: a directory or URI, empty for beside the table. */
  readonly archive?: string
}

interface Common {
  readonly name: string
  /** The user's file and line, `path:line`, relative to the project. */
  readonly at: string
  readonly doc?: string
  readonly owner?: string
  readonly tags: readonly string[]
  readonly shape: Shape
  readonly partition: readonly PartitionRule[]
  /** Columns by which files are sorted. */
  readonly cluster: readonly string[]
  readonly keep: Keep
  /** Freshness target in milliseconds. */
  readonly freshMs?: number
  /** Iceberg's format version of the table, when it is not 2. */
  readonly formatVersion?: 3
  /** Said, or because of what it reads. */
  readonly encrypted?: true
}

export interface KafkaConnection {
  /** What the project calls the cluster. */
  readonly bus: string
  readonly brokers: Text
  readonly sasl?: { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly username: Text; readonly password: ConfigRef }
  readonly tls?: { readonly ca?: Text; readonly cert?: Text; readonly key?: ConfigRef }
}

export interface RegistryManifest {
  readonly url: Text
  readonly username?: Text
  readonly password?: ConfigRef
}

export type FormatManifest =
  | { readonly kind: 'json'; readonly registry?: RegistryManifest }
  /** `schema`: as JSON. */
  | { readonly kind: 'avro'; readonly schema?: string; readonly registry?: RegistryManifest }
  | { readonly kind: 'protobuf'; readonly proto: string; readonly message: string; readonly registry?: RegistryManifest }
  /** Of a source: by the schemas of the registry alone. */
  | { readonly kind: 'protobuf'; readonly proto?: undefined; readonly message?: string; readonly registry: RegistryManifest }

/** Of the keys of messages. */
export type KeyFormatManifest = FormatManifest | { readonly kind: 'text' }

export interface TopicManifest {
  readonly connection: KafkaConnection
  readonly topic: string
  readonly format: FormatManifest
}

/** A topic that is copied into the log. */
export interface KafkaSourceManifest extends TopicManifest {
  /** Of a table whose messages delete rows; absent = as the keys look. */
  readonly keyFormat?: KeyFormatManifest
  /** A number: the first message at or after this time, milliseconds. */
  readonly start: 'earliest' | 'latest' | number
  readonly epoch: number
}

export interface StreamManifest extends Common {
  readonly kind: 'stream'
  readonly source: 'http' | 'processor' | 'kafka'
  readonly kafka?: KafkaSourceManifest
  /** Name of the processor that emits into it, for `source: 'processor'`. */
  readonly processor?: string
  readonly partitions: number
  /** Column whose hash chooses the partition; absent = round robin by batch. */
  readonly key?: string
  /** Event-time column; absent = append time. */
  readonly time?: string
  readonly latenessMs: number
  readonly maxSkewMs?: number
  readonly dedupe?: { readonly by: readonly string[]; readonly withinMs: number }
}

export interface TableManifest extends Common {
  readonly kind: 'table'
  readonly key: readonly string[]
  readonly source:
    | {
        readonly kind: 'files'
        readonly path: Text
        readonly format: 'csv' | 'json' | 'parquet'
        readonly everyMs?: number
        readonly cron?: string
        readonly zone?: string
        readonly options: Readonly<Record<string, string | number | boolean>>
        readonly columns?: Readonly<Record<string, string>>
      }
    | { readonly kind: 'http' } // rows by POST /streams/{name}, upserted by key
    | ({ readonly kind: 'kafka' } & KafkaSourceManifest) // messages, upserted by key
    | { readonly kind: 'none' }
  /** full: replaced by each load; append: new files only (cursor = file); upsert: merged by key. */
  readonly load: 'full' | 'append' | 'upsert'
}

export interface ModelManifest extends Common {
  readonly kind: 'model'
  readonly sql: SqlText
  /** Relations that it reads, found in the syntax tree. */
  readonly inputs: readonly string[]
  readonly refresh: 'view' | 'full' | 'incremental' | 'scd2' | 'live'
  readonly key: readonly string[]
  /** Interval column of an incremental model, and its grain. */
  readonly by?: string
  readonly lookbackMs?: number
  readonly onChange?: 'recompute' | 'keep'
  readonly emit: 'final' | 'changes'
  /** Of live models: SQL of the expressions that DuckDB computes for each batch, where there are any. */
  readonly computed?: readonly string[]
  /** Of live models: memory of their state, where it is bounded. */
  readonly memoryBytes?: number
  /** Of live models: the latest row of `key` replaces the one before; otherwise rows are only added. */
  readonly keyed?: true
  /** Of keyed live models: rows go too, when they or the rows that they are made of do. */
  readonly loses?: true
  /** True when the user declared `columns:`; then they are a contract. */
  readonly declared: boolean
}

export interface ProcessorManifest {
  readonly kind: 'processor'
  readonly name: string
  readonly at: string
  readonly from: string
  readonly key?: string
  readonly time?: string
  readonly state: Readonly<Record<string, StateManifest>>
  /** Names of timers. */
  readonly timers?: readonly string[]
  /** Streams beside its own that it emits into, by the names that its code uses. */
  readonly outputs?: Readonly<Record<string, string>>
  /** Tables that every partition is told of, by the names that its code uses. */
  readonly broadcast?: Readonly<Record<string, string>>
  /** How long one call of user code may take, when it is not the default. */
  readonly limitMs?: number
  /** Of its state, when it is not the default. */
  readonly memoryBytes?: number
  /** States that may start empty; true: all. */
  readonly reset?: true | readonly string[]
}

type StateType = Shape['fields'][number]['type']

/** `scope`: one for each partition instead of one for each key. */
export type StateManifest = { readonly scope?: 'partition' } & (
  | { readonly kind: 'value'; readonly type: StateType }
  | { readonly kind: 'map'; readonly key: StateType; readonly type: StateType; readonly withinMs?: number }
  | { readonly kind: 'expiringSet'; readonly type: StateType; readonly withinMs: number }
  | { readonly kind: 'window'; readonly withinMs: number; readonly panes: number }
  | { readonly kind: 'ewma'; readonly windowMs: number }
  | { readonly kind: 'moments' }
  | { readonly kind: 'top'; readonly type: StateType; readonly size: number; readonly counters: number }
  | { readonly kind: 'distinct'; readonly type: StateType; readonly precision: number }
  | { readonly kind: 'quantiles'; readonly accuracy: number }
  | {
      readonly kind: 'logistic' | 'regression'
      readonly features: readonly string[]
      readonly rate: number
      readonly decay: number
    }
)

export type Relation = StreamManifest | TableManifest | ModelManifest

export type Severity = 'warn' | 'block' | 'quarantine'

export interface CheckManifest {
  /** Unique in the project: `<set>.<kind>_<columns>`. */
  readonly name: string
  readonly severity: Severity
  readonly rule:
    | { readonly kind: 'not_null'; readonly column: string }
    | { readonly kind: 'unique'; readonly columns: readonly string[] }
    | { readonly kind: 'between'; readonly column: string; readonly min?: string; readonly max?: string }
    | { readonly kind: 'in'; readonly column: string; readonly values: readonly string[] }
    | { readonly kind: 'matches'; readonly column: string; readonly pattern: string }
    | { readonly kind: 'references'; readonly column: string; readonly to: { readonly relation: string; readonly column: string } }
    | { readonly kind: 'fresh'; readonly column: string; readonly withinMs: number }
    | { readonly kind: 'row_count'; readonly min?: number; readonly max?: number }
    | { readonly kind: 'row_count_anomaly'; readonly sigma: number }
    | { readonly kind: 'sql'; readonly sql: SqlText } // rows returned are rows that fail
}

export interface CheckSetManifest {
  readonly name: string
  readonly at: string
  readonly on: string
  readonly owner?: string
  readonly checks: readonly CheckManifest[]
}

export interface RoleManifest {
  readonly name: string
  readonly at: string
  /** Attributes that a caller of this role carries. */
  readonly attributes: Shape
  /** Enforces read restrictions. */
  readonly trustedEngine?: true
}

export interface GrantManifest {
  readonly name: string
  readonly at: string
  readonly to: readonly string[]
  /** Relation names, or `namespace.*`, or `*`. */
  readonly on: readonly string[]
  readonly privilege: 'read' | 'write'
}

/** Structured, so that it prints to SQL and later to Iceberg expressions. */
export type PredicateManifest =
  | { readonly kind: 'compare'; readonly column: string; readonly op: '=' | '<>' | '<' | '<=' | '>' | '>='; readonly value: PredicateValue }
  | { readonly kind: 'in'; readonly column: string; readonly values: readonly PredicateValue[] }
  | { readonly kind: 'null'; readonly column: string; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly PredicateManifest[] }
  | { readonly kind: 'not'; readonly of: PredicateManifest }

export type PredicateValue =
  | { readonly kind: 'constant'; readonly value: string | number | boolean; readonly type: string }
  | { readonly kind: 'attribute'; readonly name: string }

export interface PolicyManifest {
  readonly name: string
  readonly at: string
  readonly on: string
  readonly to: string
  readonly rows: PredicateManifest
}

export type MaskKind = 'null' | 'hash' | 'redact' | 'last4' | 'year' | 'none'

export interface MasksManifest {
  readonly name: string
  readonly at: string
  /** Mask of each personal-data tag. */
  readonly by: Readonly<Record<string, MaskKind>>
  /** Roles that see the raw values. */
  readonly except: readonly string[]
}

export interface EndpointManifest {
  readonly name: string
  readonly at: string
  readonly method: 'GET'
  /** Name under which the project exports it: the method of the typed client, `operationId` in OpenAPI. */
  readonly operation?: string
  /** Path below /api, with `:parameters`. */
  readonly path: string
  readonly doc?: string
  readonly params: Shape
  readonly sql: SqlText
  readonly inputs: readonly string[]
  readonly allow: readonly string[]
  readonly live: boolean
  /** Result columns, from binding the SQL. */
  readonly result: Shape
  /** Columns of the result that order it totally; keyset cursors need them. */
  readonly page?: { readonly by: readonly string[]; readonly size: number }
}

export interface JobManifest {
  readonly name: string
  readonly at: string
  readonly run: readonly string[]
  readonly cron?: string
  readonly everyMs?: number
  readonly zone: string
  readonly retry: { readonly times: number; readonly waitMs: number }
  readonly timeoutMs?: number
}

export type ChannelManifest = { readonly kind: 'webhook'; readonly url: Text } | { readonly kind: 'slack'; readonly url: Text }

export interface AlertManifest {
  readonly name: string
  readonly at: string
  readonly when:
    | { readonly kind: 'checks'; readonly set: string }
    | { readonly kind: 'late'; readonly relation: string } // freshness target missed
    | { readonly kind: 'run'; readonly asset: string } // a run failed
    | { readonly kind: 'sql'; readonly sql: SqlText; readonly everyMs: number } // one boolean
    | { readonly kind: 'rows'; readonly relation: string } // any new row (a processor's output, say)
  readonly forMs: number
  readonly to: readonly ChannelManifest[]
}

export type TileManifest = {
  readonly kind: 'number' | 'line' | 'bar' | 'table' | 'heat'
  readonly title: string
  readonly sql: SqlText
  readonly inputs: readonly string[]
  readonly x?: string
  readonly y?: readonly string[]
  readonly by?: string
  readonly unit?: string
  /** Width in twelfths. */
  readonly span: number
}

export interface DashboardManifest {
  readonly name: string
  readonly at: string
  readonly title: string
  readonly tiles: readonly TileManifest[]
  readonly allow: readonly string[]
}

export interface SinkManifest {
  readonly name: string
  readonly at: string
  readonly from: string
  readonly to: TopicManifest
  /** Columns of the message's key; empty = messages have none. */
  readonly key: readonly string[]
  /** What of the relation is written, in this order. */
  readonly shape: Shape
  readonly everyMs: number
  readonly doc?: string
  readonly owner?: string
}

export interface Manifest {
  readonly version: 1
  readonly project: string
  readonly relations: readonly Relation[] // inputs before those that read them
  readonly processors: readonly ProcessorManifest[]
  readonly checks: readonly CheckSetManifest[]
  readonly roles: readonly RoleManifest[]
  readonly grants: readonly GrantManifest[]
  readonly policies: readonly PolicyManifest[]
  readonly masks: readonly MasksManifest[]
  readonly endpoints: readonly EndpointManifest[]
  readonly jobs: readonly JobManifest[]
  readonly alerts: readonly AlertManifest[]
  readonly dashboards: readonly DashboardManifest[]
  /** Absent where there are none. */
  readonly sinks?: readonly SinkManifest[]
}
