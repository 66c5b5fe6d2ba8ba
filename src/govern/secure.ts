// Makes a user's SELECT safe to run: gate, then every relation that it names is replaced by a versioned view that holds the
// policy and the pinned (snapshot, tail); the session that runs it sees a catalog of only such views. DuckDB's own binder
// does the scoping. Names that a user writes never reach a physical table.
import { MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import { type Node, type RelationRef, relationsOf, type SqlParser, type Statement, walk } from '../engine/ast.ts'
import type { Engine, Session } from '../engine/duckdb.ts'
import { inlineConstants, quoteName } from '../engine/sql-text.ts'
import { type Decision, decide, findOwned } from './decide.ts'
import { passGate } from './gate.ts'
import type { Identity } from './identity.ts'
import { KEY_TABLE, maskSql, padsOf } from './mask.ts'

export interface At {
  readonly version?: string
  readonly timestampMs?: number
}

/** A relation fixed at one moment, given by the runtime. */
export interface Resolved {
  readonly scanSql: string
  /** Equal for equal `scanSql`. */
  readonly version: string
  readonly snapshotId: string | null
  readonly hasTail: boolean
  release(): void
}

export interface SecureParts {
  readonly engine: Engine
  readonly parser: SqlParser
  manifest(): Manifest
  /** Rows of a stored relation, or of one of `millrace.*`. */
  resolve(relation: string, at: At | undefined, committedOnly: boolean): Promise<Resolved>
  /** Whether `millrace.<name>` exists, and for whom. */
  systemRelation(name: string, identity: Identity): boolean
  /** Key of the mask `hash`. */
  readonly maskKey: Uint8Array
}

export interface Secured {
  /** Text to run on `session`. */
  readonly sql: string
  readonly session: Session
  readonly relations: readonly string[]
  readonly snapshots: Readonly<Record<string, string | null>>
  readonly hasTail: boolean
  readonly rowFilter: boolean
  readonly masked: readonly string[]
  /** Equal for questions that see the same rows under the same policy. */
  readonly version: string
  /** Frees the session and the pins. */
  release(): Promise<void>
}

export interface SecureOptions {
  readonly committedOnly?: boolean
  /** Values for AT clauses that use parameters. */
  readonly params?: readonly unknown[] | Readonly<Record<string, unknown>>
}

export interface Guard {
  secure(identity: Identity, sql: string, options?: SecureOptions): Promise<Secured>
  decide(identity: Identity, relation: string): Decision
  close(): void
}

const CATALOG = 'secured'
const VIEWS_MAX = 2_000

export async function openGuard(parts: SecureParts): Promise<Guard> {
  const admin = await parts.engine.session()
  await admin.run('CREATE SCHEMA IF NOT EXISTS memory.govern')
  await admin.run(`CREATE OR REPLACE TABLE ${KEY_TABLE} (ipad BLOB, opad BLOB)`)
  const { ipad, opad } = padsOf(parts.maskKey)
  await admin.run(`INSERT INTO ${KEY_TABLE} VALUES (unhex('${ipad.toString('hex')}'), unhex('${opad.toString('hex')}'))`)
  await admin.run(`ATTACH ':memory:' AS ${CATALOG}`)
  const { rows } = await admin.rows(
    "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate') OR (function_type = 'macro' AND internal)",
  )
  const functions = new Set(rows.map((row) => String(row[0])))
  const views = new Views(admin)
  return {
    decide: (identity, relation) => decide(parts.manifest(), identity, relation),
    secure: (identity, sql, options = {}) => new Question(parts, views, functions, identity, options).answer(sql),
    close: () => admin.close(),
  }
}

/** The views that exist, by name; the oldest that nobody uses go when there are many. */
class Views {
  readonly #session: Session
  readonly #users = new Map<string, number>()
  readonly #making = new Map<string, Promise<void>>()

  constructor(session: Session) {
    this.#session = session
  }

  async use(name: string, select: string): Promise<void> {
    const users = this.#users.get(name)
    if (users !== undefined) {
      this.#users.delete(name)
      this.#users.set(name, users + 1)
      await this.#making.get(name)
      return
    }
    this.#users.set(name, 1)
    const making = this.#session.run(`CREATE OR REPLACE VIEW ${CATALOG}.main.${quoteName(name)} AS ${select}`)
    this.#making.set(name, making)
    try {
      await making
    } catch (error) {
      this.#users.delete(name)
      throw error
    } finally {
      this.#making.delete(name)
    }
    if (this.#users.size > VIEWS_MAX) await this.#dropOldest()
  }

  done(name: string): void {
    const users = this.#users.get(name)
    if (users !== undefined) this.#users.set(name, users - 1)
  }

  async #dropOldest(): Promise<void> {
    for (const [name, users] of this.#users) {
      if (users > 0) continue
      this.#users.delete(name)
      await this.#session.run(`DROP VIEW IF EXISTS ${CATALOG}.main.${quoteName(name)}`)
      if (this.#users.size <= VIEWS_MAX / 2) return
    }
  }
}

let materialized = 0

class Question {
  readonly #parts: SecureParts
  readonly #views: Views
  readonly #functions: ReadonlySet<string>
  readonly #identity: Identity
  readonly #options: SecureOptions
  readonly #pins: Resolved[] = []
  readonly #used: string[] = []
  readonly #snapshots: Record<string, string | null> = {}
  readonly #masked = new Set<string>()
  readonly #versions: string[] = []
  readonly #temporary: string[] = []
  #rowFilter = false

  constructor(parts: SecureParts, views: Views, functions: ReadonlySet<string>, identity: Identity, options: SecureOptions) {
    this.#parts = parts
    this.#views = views
    this.#functions = functions
    this.#identity = identity
    this.#options = options
  }

  async answer(sql: string): Promise<Secured> {
    try {
      const statement = await this.#parts.parser.parse(sql)
      const { leaking } = passGate(statement, this.#functions)
      const refs = relationsOf(statement)
      for (const ref of refs) await this.#replace(ref, leaking.length > 0)
      stripQualifiers(statement, refs)
      const text = await this.#parts.parser.print(statement)
      const session = await this.#parts.engine.session()
      await session.run(`USE ${CATALOG}`)
      return {
        sql: text,
        session,
        relations: Object.keys(this.#snapshots),
        snapshots: this.#snapshots,
        hasTail: this.#pins.some((pin) => pin.hasTail),
        rowFilter: this.#rowFilter,
        masked: [...this.#masked],
        version: this.#versions.sort().join('|'),
        release: async () => {
          session.close()
          await this.#release()
        },
      }
    } catch (error) {
      await this.#release()
      throw error
    }
  }

  async #release(): Promise<void> {
    for (const pin of this.#pins) pin.release()
    for (const name of this.#used) this.#views.done(name)
    if (this.#temporary.length === 0) return
    const session = await this.#parts.engine.session()
    for (const name of this.#temporary) await session.run(`DROP TABLE IF EXISTS ${CATALOG}.main.${quoteName(name)}`)
    session.close()
  }

  /** Points a reference at the secured view of what it names, under the user's own name. */
  async #replace({ node, catalog, schema, name }: RelationRef, isLeaky: boolean): Promise<void> {
    if (catalog !== '') throw unknownRelation(`${catalog}.${schema}.${name}`)
    const relation = this.#nameOf(schema, name)
    const at = atOf(node, this.#options.params)
    const view = relation.startsWith('millrace.') ? await this.#systemView(relation) : await this.#policyView(relation, at, isLeaky)
    node.alias = node.alias || name
    node['schema_name'] = ''
    node['table_name'] = view
    node['at_clause'] = null
  }

  #nameOf(schema: string, name: string): string {
    const folded = schema.toLowerCase()
    const wanted = folded === '' || folded === 'main' || folded === 'public' ? name : `${schema}.${name}`
    const exact = this.#known(wanted)
    if (!exact) throw unknownRelation(wanted)
    return exact
  }

  /** The defined name that equals `wanted` without regard to case. */
  #known(wanted: string): string | undefined {
    if (wanted.toLowerCase().startsWith('millrace.')) {
      const system = wanted.toLowerCase()
      return this.#parts.systemRelation(system.slice('millrace.'.length), this.#identity) ? system : undefined
    }
    if (findOwned(this.#parts.manifest(), wanted)) return wanted
    const names = this.#parts
      .manifest()
      .relations.flatMap((relation) => [relation.name, `${relation.name}__late`, `${relation.name}__rejected`])
    return names.find((candidate) => candidate.toLowerCase() === wanted.toLowerCase() && findOwned(this.#parts.manifest(), candidate))
  }

  async #systemView(relation: string): Promise<string> {
    const pin = await this.#parts.resolve(relation, undefined, false)
    this.#pins.push(pin)
    return this.#view(`${relation}#${pin.version}`, pin.scanSql)
  }

  async #view(name: string, select: string): Promise<string> {
    await this.#views.use(name, select)
    this.#used.push(name)
    return name
  }

  async #policyView(relation: string, at: At | undefined, isLeaky: boolean): Promise<string> {
    const decision = decide(this.#parts.manifest(), this.#identity, relation)
    if (!decision.readable) throw unknownRelation(relation)
    const raw = await this.#raw(relation, at, new Set())
    this.#versions.push(`${relation}@${raw.version}#${decision.hash}`)
    for (const column of decision.masks.keys()) this.#masked.add(column)
    if (decision.rowFilter === null && decision.masks.size === 0) return raw.view
    if (decision.rowFilter !== null) this.#rowFilter = true
    const { shape } = findOwned(this.#parts.manifest(), relation)!
    const columns = shape.fields.map((field) => {
      const mask = decision.masks.get(field.name)
      return mask === undefined ? quoteName(field.name) : `${maskSql(field, mask)} AS ${quoteName(field.name)}`
    })
    const where = decision.rowFilter === null ? '' : ` WHERE ${decision.rowFilter}`
    const view = await this.#view(
      `${relation}#${decision.hash}#${raw.version}`,
      `SELECT ${columns.join(', ')} FROM ${CATALOG}.main.${quoteName(raw.view)}${where}`,
    )
    return isLeaky && decision.rowFilter !== null ? this.#materialize(view) : view
  }

  /** Two stages: what the policy shows is copied first, so that a function which fails can tell nothing of the rest. */
  async #materialize(view: string): Promise<string> {
    const name = `copy#${materialized++}`
    const session = await this.#parts.engine.session()
    try {
      await session.run(`CREATE TABLE ${CATALOG}.main.${quoteName(name)} AS SELECT * FROM ${CATALOG}.main.${quoteName(view)}`)
    } finally {
      session.close()
    }
    this.#temporary.push(name)
    return name
  }

  /** The relation without policy: views of the project are expanded over raw inputs, with the rights of their definer. */
  async #raw(relation: string, at: At | undefined, open: Set<string>): Promise<{ view: string; version: string }> {
    const owned = findOwned(this.#parts.manifest(), relation)
    if (owned?.part === 'own' && owned.owner.kind === 'model' && owned.owner.refresh === 'view') {
      if (open.has(relation)) throw new MillraceError('MR_PLAN_CYCLE', `view ${relation} depends on itself`)
      const statement = await this.#parts.parser.parse(inlineConstants(owned.owner.sql))
      const versions: string[] = []
      for (const ref of relationsOf(statement)) {
        const input = await this.#raw(this.#inputName(ref), at, new Set([...open, relation]))
        versions.push(input.version)
        ref.node.alias = ref.node.alias || ref.name
        ref.node['catalog_name'] = CATALOG
        ref.node['schema_name'] = 'main'
        ref.node['table_name'] = input.view
      }
      const version = versions.join('+') || 'constant'
      const body = await this.#parts.parser.print(statement)
      return { view: await this.#view(`${relation}#raw#${version}`, body), version }
    }
    const pin = await this.#parts.resolve(relation, at, this.#options.committedOnly ?? false)
    this.#pins.push(pin)
    this.#snapshots[relation] = pin.snapshotId
    return { view: await this.#view(`${relation}#raw#${pin.version}`, pin.scanSql), version: pin.version }
  }

  #inputName({ schema, name }: RelationRef): string {
    return schema === '' || schema === 'main' ? name : `${schema}.${name}`
  }
}

const unknownRelation = (name: string): MillraceError =>
  new MillraceError('MR_SQL_UNKNOWN', `there is no relation "${name}"`, {
    fix: 'check the name; relations that you may not read are not shown',
  })

/** `AT (VERSION => ...)` and `AT (TIMESTAMP => ...)` with a constant or a parameter. */
function atOf(node: Node, params: SecureOptions['params']): At | undefined {
  const clause = node['at_clause'] as { unit?: string; expr?: Node } | null | undefined
  if (!clause) return undefined
  const value = constantOf(clause.expr!, params)
  if (String(clause.unit).toUpperCase() === 'VERSION') return { version: String(value) }
  const timestampMs =
    typeof value === 'number'
      ? value
      : Date.parse(
          String(value)
            .replace(' ', 'T')
            .replace(/(T[\d:.]+)$/, '$1Z'),
        )
  if (Number.isNaN(timestampMs))
    throw new MillraceError('MR_SQL_SYNTAX', `"${String(value)}" is not a time`, { fix: "write AT (TIMESTAMP => '2026-01-31 12:00:00')" })
  return { timestampMs }
}

function constantOf(expression: Node, params: SecureOptions['params']): unknown {
  if (expression.class === 'CAST') return constantOf(expression['child'] as Node, params)
  if (expression.class === 'CONSTANT') return plain((expression['value'] as { value: unknown }).value)
  if (expression.class === 'PARAMETER') {
    const name = String(expression['identifier'])
    const value = Array.isArray(params) ? params[Number(name) - 1] : (params as Record<string, unknown> | undefined)?.[name]
    if (value !== undefined) return value
    throw new MillraceError('MR_SQL_PARAMETER', `parameter $${name} of the AT clause has no value`, { fix: 'send it in params' })
  }
  throw new MillraceError('MR_SQL_FORBIDDEN', 'an AT clause takes a constant or a parameter', {
    fix: "write AT (VERSION => 123) or AT (TIMESTAMP => '2026-01-31')",
  })
}

/** Numbers of the tree may be verbatim JSON. */
const plain = (value: unknown): unknown => (JSON.isRawJSON(value) ? (value as { rawJSON: string }).rawJSON : value)

/** `main.orders.id` becomes `orders.id`: inside the secured catalog the schema has another name. */
function stripQualifiers(statement: Statement, refs: readonly RelationRef[]): void {
  const qualified = new Set(refs.filter((ref) => ref.schema !== '').map((ref) => `${ref.schema.toLowerCase()}.${ref.name.toLowerCase()}`))
  walk(statement.node, (node) => {
    if (node.class !== 'COLUMN_REF') return
    const names = node['column_names'] as string[]
    if (names.length >= 3 && qualified.has(`${names[0]!.toLowerCase()}.${names[1]!.toLowerCase()}`)) node['column_names'] = names.slice(1)
  })
}
