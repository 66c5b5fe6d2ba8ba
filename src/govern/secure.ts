// Makes a user's SELECT safe to run: gate, then every relation that it names is replaced by a view that holds the policy and
// the pinned (snapshot, tail); the session that runs it has a catalog of only such views. DuckDB's own binder does the
// scoping. Names that a user writes never reach a physical table.
import { MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import { type Node, type RelationRef, relationsOf, type SqlParser } from '../engine/ast.ts'
import type { Engine, Session, SqlValues } from '../engine/duckdb.ts'
import { ENGINE_VERSION } from '../engine/listed-functions.ts'
import { inlineConstants, quoteName } from '../engine/sql-text.ts'
import { expandWindows } from '../engine/window-calls.ts'
import type { PruneTerm } from '../lake/types.ts'
import type { Shape } from '../schema/type.ts'
import { type Decision, decide, findOwned } from './decide.ts'
import { checkReplaced, passGate } from './gate.ts'
import type { Identity } from './identity.ts'
import { maskSql, storeMaskKey } from './mask.ts'
import { inOwnWords, nameColumns } from './own-words.ts'
import { pruneQuestion } from './prune-question.ts'
import {
  type At,
  bindParameters,
  columnsOf,
  DEFAULT_SCHEMAS,
  dropQualifiers,
  kindsOf,
  momentOf,
  type Params,
  withoutParameters,
} from './question.ts'
import { definedName, isSystem, unknownRelation, viewOf } from './relation-names.ts'
import { SecuredSessions } from './secured-sessions.ts'
import { needsTwoStages } from './strict.ts'
import { Verdicts } from './verdicts.ts'
import { DEFINER, SECURED, Views } from './views.ts'

export type { At } from './question.ts'

/** A relation fixed at one moment, given by the runtime. */
export interface Resolved {
  readonly scanSql: string
  /** Equal for equal `scanSql`. */
  readonly version: string
  readonly snapshotId: string | null
  readonly hasTail: boolean
  release(): void
}

export interface ResolveOptions {
  readonly committedOnly: boolean
  /** Rows that do not match all of them may be left out. */
  readonly prune: readonly PruneTerm[]
}

export interface SecureParts {
  readonly engine: Engine
  readonly parser: SqlParser
  manifest(): Manifest
  /** Rows of a stored relation, or of one of `millrace.*`. */
  resolve(relation: string, at: At | undefined, options: ResolveOptions): Promise<Resolved>
  /** Whether `millrace.<name>` exists, and for whom. */
  systemRelation(name: string, identity: Identity): boolean
  /** Key of the mask `hash`; a secret, at most 64 bytes count. */
  readonly maskKey: Uint8Array
}

export interface Secured {
  /** Text to run on `session`, with `params`. */
  readonly sql: string
  /** Values for the parameters that `sql` has; undefined when it has none. Those of AT clauses are used already. */
  readonly params: SqlValues | undefined
  readonly session: Session
  /** Relations that the question names. */
  readonly relations: readonly string[]
  /** Lower-case column names that it can touch; null = all. */
  readonly columns: readonly string[] | null
  /** Snapshots of the stored relations behind them. */
  readonly snapshots: Readonly<Record<string, string | null>>
  readonly hasTail: boolean
  readonly rowFilter: boolean
  /** Whether something in what it reads is hidden from the caller: rows, values, or what a view of the project leaves out. */
  readonly isRestricted: boolean
  readonly masked: readonly string[]
  /** Whether what the caller may see was copied first: see STRICT_FUNCTIONS. */
  readonly isTwoStage: boolean
  /** Equal for questions that see the same rows under the same policy. */
  readonly version: string
  /** Frees the session and the pins. */
  release(): Promise<void>
}

export interface SecureOptions {
  readonly committedOnly?: boolean
  readonly params?: Params
  /** Filled with the snapshots that are read, by relation: known also of a question that fails. */
  readonly snapshots?: Record<string, string | null>
  /** For the first stage of two. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Guard {
  /**
   * @throws MR_SQL_SYNTAX, MR_SQL_STATEMENT; MR_SQL_FORBIDDEN by the gate; MR_SQL_UNKNOWN for relations that do not exist or
   * may not be read, in the same words; MR_SQL_PARAMETER.
   */
  secure(identity: Identity, sql: string, options?: SecureOptions): Promise<Secured>
  decide(identity: Identity, relation: string): Decision
  close(): void
}

const VIEWS_MAX = 500
const TEXT_MAX = 1_000_000

export async function openGuard(parts: SecureParts): Promise<Guard> {
  const admin = await parts.engine.session()
  const { rows } = await admin.rows('SELECT version()')
  if (rows[0]![0] !== ENGINE_VERSION)
    throw new MillraceError('MR_ENGINE', `the lists of functions are for DuckDB ${ENGINE_VERSION}, this is ${rows[0]![0]}`, {
      fix: 'node scripts/fuzz-functions.ts, then look at what changed',
    })
  await storeMaskKey(admin, parts.maskKey)
  const views = new Views(admin, VIEWS_MAX)
  await views.open()
  const verdicts = new Verdicts()
  const sessions = new SecuredSessions(parts.engine)
  return {
    decide: (identity, relation) => decide(parts.manifest(), identity, relation),
    secure: (identity, sql, options = {}) => new Question(parts, { views, verdicts, sessions }, identity, options).answer(sql),
    close() {
      sessions.close()
      admin.close()
    },
  }
}

let copies = 0

/** What questions share. */
interface Shared {
  readonly views: Views
  readonly verdicts: Verdicts
  readonly sessions: SecuredSessions
}

class Question {
  readonly #parts: SecureParts
  readonly #manifest: Manifest
  readonly #shared: Shared
  readonly #identity: Identity
  readonly #options: SecureOptions
  readonly #releases: (() => void)[] = []
  readonly #pins = new Map<string, Promise<Resolved>>()
  readonly #snapshots: Record<string, string | null>
  readonly #relations = new Set<string>()
  readonly #masked = new Set<string>()
  readonly #versions = new Set<string>()
  readonly #parametersOfMoments = new Set<string>()
  /** Names that the secured tree may have in FROM, and what they stand for. */
  readonly #targets = new Map<string, string>()
  /** Views that leave out rows which the caller may not see. */
  readonly #hiding = new Set<string>()
  readonly #copies = new Map<string, string>()
  #columns: ReadonlySet<string> | null = null
  #prune: ReadonlyMap<string, readonly PruneTerm[]> = new Map()
  #session: Session | undefined
  #hasTail = false
  #rowFilter = false
  #isRestricted = false

  constructor(parts: SecureParts, shared: Shared, identity: Identity, options: SecureOptions) {
    this.#parts = parts
    this.#manifest = parts.manifest()
    this.#shared = shared
    this.#identity = identity
    this.#options = options
    this.#snapshots = options.snapshots ?? {}
  }

  async answer(sql: string): Promise<Secured> {
    if (sql.length > TEXT_MAX) throw new MillraceError('MR_SQL_SYNTAX', `the SQL has ${sql.length} characters, ${TEXT_MAX} are allowed`)
    const opening = this.#open()
    opening.catch(() => {}) // waited for below, after what may fail first
    try {
      const statement = await this.#parts.parser.parse(sql)
      await expandWindows(this.#parts.parser, statement, sql)
      const passed = passGate(statement)
      const refs = relationsOf(statement)
      this.#columns = columnsOf(statement)
      await nameColumns(this.#parts.parser, statement)
      const session = await opening
      const named = refs.map((ref) => this.#nameOf(ref))
      this.#prune = pruneQuestion(this.#manifest, this.#identity, statement, { refs, named, params: this.#options.params })
      for (const [index, ref] of refs.entries()) await this.#replace(ref, named[index]!)
      dropQualifiers(statement, refs)
      const params = bindParameters(statement, this.#options.params, this.#parametersOfMoments)
      const print = (): Promise<string> => {
        checkReplaced(passed, new Set(this.#targets.keys()))
        return this.#parts.parser.print(statement)
      }
      const text = await print()
      if (this.#hiding.size === 0 || !(await this.#isTelling(sql, text, params))) return this.#secured(text, params, session)
      for (const { node } of refs) await this.#copy(node)
      return this.#secured(await print(), params, session)
    } catch (error) {
      await opening.catch(() => {})
      await this.#release()
      throw error
    }
  }

  /** Begins while the text is looked at. */
  async #open(): Promise<Session> {
    this.#session = await this.#shared.sessions.take()
    return this.#session
  }

  #secured(sql: string, params: Params | undefined, session: Session): Secured {
    return {
      sql,
      params: params as SqlValues | undefined,
      session: inOwnWords(session, this.#targets),
      relations: [...this.#relations],
      columns: this.#columns && [...this.#columns],
      snapshots: this.#snapshots,
      hasTail: this.#hasTail,
      rowFilter: this.#rowFilter,
      isRestricted: this.#isRestricted,
      masked: [...this.#masked],
      isTwoStage: this.#copies.size > 0,
      version: [...this.#versions].sort().join('|'),
      release: () => this.#release(),
    }
  }

  /** Closing the session drops the copies of its first stage. */
  async #release(): Promise<void> {
    for (const release of this.#releases.splice(0)) release()
    const session = this.#session
    this.#session = undefined
    if (session && this.#copies.size === 0) this.#shared.sessions.give(session)
    else session?.close()
  }

  /** Points a reference at the secured view of what it names, under the user's own name. */
  async #replace({ node, name }: RelationRef, relation: string): Promise<void> {
    const at = momentOf(node, this.#options.params, this.#parametersOfMoments)
    const isDefined = !isSystem(relation) && findOwned(this.#manifest, relation) !== undefined
    const target = isDefined ? await this.#policyView(relation, at) : await this.#plainView(relation, at)
    this.#relations.add(relation)
    this.#targets.set(target, relation)
    node.alias = node.alias || name
    node['schema_name'] = ''
    node['table_name'] = target
    node['at_clause'] = null
  }

  /** Whether an error of the question could tell about what is hidden; the same for all callers, so it is remembered. */
  async #isTelling(sql: string, text: string, params: Params | undefined): Promise<boolean> {
    const known = this.#shared.verdicts.of(this.#manifest)
    const key = JSON.stringify([sql, kindsOf(this.#options.params)])
    const found = known.get(key)
    if (found !== undefined) return found
    const plain = await withoutParameters(this.#parts.parser, text, params)
    const verdict = await needsTwoStages(this.#session!, plain)
    known.set(key, verdict)
    return verdict
  }

  /** The defined name that is meant, without regard to case. @throws MR_SQL_UNKNOWN when there is none or it may not be read. */
  #nameOf({ catalog, schema, name }: RelationRef): string {
    const unknown = () => unknownRelation([catalog, schema, name].filter((part) => part !== '').join('.'))
    if (catalog !== '') throw unknown()
    const folded = schema.toLowerCase()
    if (folded === 'millrace') {
      if (!this.#parts.systemRelation(name.toLowerCase(), this.#identity)) throw unknown()
      return `millrace.${name.toLowerCase()}`
    }
    const wanted = DEFAULT_SCHEMAS.includes(folded) || folded === '' ? name : `${schema}.${name}`
    const found = definedName(this.#manifest, wanted)
    // A table that another engine made is in no project: no rule says what it shows, so administrators alone ask for it.
    if (found === undefined && this.#identity.isAdmin) return wanted
    if (found === undefined || !decide(this.#manifest, this.#identity, found).readable) throw unknown()
    return found
  }

  /** What the project does not define, for administrators: all of it. */
  async #plainView(relation: string, at: At | undefined): Promise<string> {
    const pin = await this.#pin(relation, isSystem(relation) ? undefined : at)
    if (!isSystem(relation)) this.#snapshots[relation] = pin.snapshotId
    this.#versions.add(`${relation}@${pin.version}`)
    return this.#view(SECURED, relation, pin.scanSql)
  }

  async #view(catalog: typeof SECURED | typeof DEFINER, relation: string, select: string): Promise<string> {
    const { name, release } = await this.#shared.views.use(catalog, relation, select)
    this.#releases.push(release)
    return name
  }

  /** One question sees one state of a relation, however often it names it. */
  #pin(relation: string, at: At | undefined): Promise<Resolved> {
    const key = JSON.stringify([relation, at])
    const known = this.#pins.get(key)
    if (known) return known
    const { committedOnly = false } = this.#options
    const pinned = this.#parts.resolve(relation, at, { committedOnly, prune: this.#prune.get(relation) ?? [] }).then((pin) => {
      this.#releases.push(() => pin.release())
      this.#hasTail ||= pin.hasTail
      return pin
    })
    this.#pins.set(key, pinned)
    return pinned
  }

  async #policyView(relation: string, at: At | undefined): Promise<string> {
    const decision = decide(this.#manifest, this.#identity, relation)
    const raw = await this.#raw(relation, at, [])
    this.#versions.add(`${relation}@${raw.version}#${decision.hash}`)
    for (const column of decision.masks.keys()) this.#masked.add(column)
    const view = await this.#view(SECURED, relation, policySql(this.#manifest, relation, decision, raw.sql))
    this.#rowFilter ||= decision.rowFilter !== null
    const hidesRows = decision.rowFilter !== null || (viewOf(this.#manifest, relation) !== undefined && !this.#identity.isAdmin)
    this.#isRestricted ||= hidesRows || decision.masks.size > 0
    if (hidesRows) this.#hiding.add(view)
    return view
  }

  /** First of two stages: what the policy shows is copied, and the reference points at the copy. */
  async #copy(node: Node): Promise<void> {
    const view = String(node['table_name'])
    if (!this.#hiding.has(view)) return
    const relation = this.#targets.get(view)!
    const name = this.#copies.get(view) ?? `copy#${copies++}`
    if (!this.#copies.has(view)) await this.#createCopy(name, view, findOwned(this.#manifest, relation)!.shape)
    this.#copies.set(view, name)
    this.#targets.set(name, relation)
    node['table_name'] = name
  }

  async #createCopy(name: string, view: string, shape: Shape): Promise<void> {
    const needed = shape.fields.filter((field) => this.#columns?.has(field.name.toLowerCase()) ?? true)
    const columns = (needed.length > 0 ? needed : shape.fields.slice(0, 1)).map((field) => quoteName(field.name))
    const { timeoutMs, signal } = this.#options
    await this.#session!.rows(
      `CREATE TEMP TABLE ${quoteName(name)} AS SELECT ${columns.join(', ')} FROM ${SECURED}.main.${quoteName(view)}`,
      undefined,
      { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(signal ? { signal } : {}) },
    )
  }

  /** The relation without policy: views of the project are expanded over raw inputs, with the rights of their definer. */
  async #raw(relation: string, at: At | undefined, open: readonly string[]): Promise<{ sql: string; version: string }> {
    const view = viewOf(this.#manifest, relation)
    if (view) {
      if (open.includes(relation)) throw new MillraceError('MR_PLAN_CYCLE', `view ${relation} depends on itself`)
      return this.#expand(inlineConstants(view.sql), at, [...open, relation])
    }
    const pin = await this.#pin(relation, at)
    this.#snapshots[relation] = pin.snapshotId
    return { sql: pin.scanSql, version: pin.version }
  }

  async #expand(text: string, at: At | undefined, open: readonly string[]): Promise<{ sql: string; version: string }> {
    const statement = await this.#parts.parser.parse(text)
    const versions: string[] = []
    const refs = relationsOf(statement)
    for (const { node, schema, name } of refs) {
      const input = definedName(this.#manifest, schema === '' || schema.toLowerCase() === 'main' ? name : `${schema}.${name}`)
      if (input === undefined) throw unknownRelation(name)
      const raw = await this.#raw(input, momentOf(node, undefined, new Set()) ?? at, open)
      versions.push(raw.version)
      node.alias = node.alias || name
      node['catalog_name'] = DEFINER
      node['schema_name'] = 'main'
      node['table_name'] = await this.#view(DEFINER, input, raw.sql)
      node['at_clause'] = null
    }
    dropQualifiers(statement, refs)
    return { sql: await this.#parts.parser.print(statement), version: versions.join('+') || 'constant' }
  }
}

/** Row filter on raw values, then masks; the question sees what comes out, and nothing else. */
function policySql(manifest: Manifest, relation: string, decision: Decision, raw: string): string {
  if (decision.rowFilter === null && decision.masks.size === 0) return raw
  const columns = findOwned(manifest, relation)!.shape.fields.map((field) => {
    const mask = decision.masks.get(field.name)
    return mask === undefined ? quoteName(field.name) : `${maskSql(field, mask)} AS ${quoteName(field.name)}`
  })
  const where = decision.rowFilter === null ? '' : ` WHERE ${decision.rowFilter}`
  return `SELECT ${columns.join(', ')} FROM (${raw}) AS raw${where}`
}
