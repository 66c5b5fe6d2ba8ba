// Statements that change rows, put together: who may, what the statement becomes, the door of what it changes, and the record of what
// was done. Statements that touch one keyed table take turns: they would only make each other compute again.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { encryptedRelations } from '../define/encrypted.ts'
import type { Manifest } from '../define/manifest.ts'
import { partitionKeyIndex } from '../define/partition-key.ts'
import { isLookedUp } from '../define/system-columns.ts'
import type { Node, SqlParser } from '../engine/ast.ts'
import { changesSelect, type Describe } from '../engine/dml/changes-select.ts'
import { parametersOf } from '../engine/dml/read-statement.ts'
import type { WriteStatement } from '../engine/dml/statement.ts'
import { tokensOf } from '../engine/dml/tokens.ts'
import type { RelationStore } from '../engine/relations.ts'
import { changeable } from '../govern/changeable.ts'
import { findOwned } from '../govern/decide.ts'
import type { Params } from '../govern/question.ts'
import type { Secured } from '../govern/secure.ts'
import { changeRows } from '../ingest/change-rows.ts'
import type { Log } from '../log/log.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Caller, Question, WriteAnswer } from '../serve/answer.ts'
import type { Pipeline } from '../stream/pipeline.ts'
import { compileRowChecks } from '../stream/row-checks.ts'
import { partitionsOf } from './deploy.ts'
import type { Settings } from './settings.ts'

/** Asks under the caller's policy, and writes into the audit trail. */
export interface ChangeAsk {
  ask<T>(sql: string, params: Params | undefined, take: (secured: Secured) => Promise<T>): Promise<T>
  record(outcome: string, object: string, detail: Record<string, unknown>): Promise<void>
  /** Whether an error that came from `ask` is in the trail. */
  isRecorded(cause: unknown): boolean
}

export type ChangeBy = (caller: Caller, question: Question, statement: WriteStatement, asking: ChangeAsk) => Promise<WriteAnswer>

export interface ChangeParts {
  readonly clock: Clock
  readonly log: Log
  readonly parser: SqlParser
  readonly relations: RelationStore
  readonly settings: Settings
  manifest(): Manifest
  /** What puts the rows of a logged relation into its tables. */
  pipelineOf(relation: string): Pick<Pipeline, 'catchUp' | 'life'>
}

export function makeChanger(parts: ChangeParts): ChangeBy {
  const { clock, log, relations, settings } = parts
  const last = new Map<string, Promise<unknown>>()
  /** After all that were here before and have a table in common. */
  const inTurn = async <T>(tables: readonly string[], action: () => Promise<T>): Promise<T> => {
    const turn = Promise.all(tables.map((table) => last.get(table))).then(action)
    const settled = turn.catch(() => {})
    for (const table of tables) last.set(table, settled)
    try {
      return await turn
    } finally {
      for (const table of tables) if (last.get(table) === settled) last.delete(table)
    }
  }
  return async (caller, question, statement, asking) => {
    const startedMs = clock.monotonicMs()
    let relation = statement.target.name
    try {
      mustBeWanted(question)
      mustBeUsed(statement, question.params)
      const manifest = parts.manifest()
      const owner = changeable(manifest, caller, statement.target, statement.kind === 'insert')
      const { name, shape } = owner
      relation = name
      const table = { name, shape, key: owner.kind === 'table' ? owner.key : [] }
      const select = await changesSelect(statement, table, describing(parts.parser, question, asking))
      const params = paramsIn(select.sql, question.params)
      const read = readBy(manifest, await asking.ask(select.sql, params, async ({ snapshots }) => Object.keys(snapshots)))
      const pipelines = [...new Set([name, ...read.tables])].map((table) => parts.pipelineOf(table))
      const door = { topic: name, partitions: partitionsOf(owner), keyIndex: partitionKeyIndex(owner), scanner: compileScanner(shape) }
      const failedCheck = compileRowChecks(manifest.checks, name, shape)
      const options = { timeoutMs: question.timeoutMs ?? settings.queryTimeoutMs, ...(question.signal ? { signal: question.signal } : {}) }
      const ports = {
        clock,
        log,
        tables: read.tables,
        async catchUp() {
          const lives = await Promise.all(pipelines.map((pipeline) => pipeline.catchUp()))
          return lives.includes(null) ? null : lives.join()
        },
        life: () => pipelines.map(({ life }) => life).join(),
        contents: async () => (await Promise.all(read.committed.map((relation) => relations.contentOf(relation)))).join(),
        ask: <T>(take: (pages: ReturnType<Secured['session']['pages']>) => Promise<T>) =>
          asking.ask(select.sql, params, (secured) => {
            if (select.branches.some(({ kind }) => kind !== 'delete')) mustStaySealed(manifest, name, secured.relations)
            return take(secured.session.pages(secured.sql, secured.params, options))
          }),
      }
      const isDryRun = question.dryRun === true
      const change = {
        door,
        select,
        isDryRun,
        timeoutMs: options.timeoutMs,
        rules: { table, failedCheck, bytesMax: settings.writeBytesMax },
      }
      const { attempts, ...changed } = await inTurn(read.tables, () => changeRows(ports, change))
      const durationMs = clock.monotonicMs() - startedMs
      await asking.record('ok', name, { ...changed, attempts, dryRun: isDryRun, ms: Math.round(durationMs) })
      return { relation: name, ...changed, ...(isDryRun ? { dryRun: true } : {}), durationMs }
    } catch (cause) {
      const error = asMillraceError(cause)
      if (asking.isRecorded(cause)) throw inItsWords(error)
      await asking.record(error.code, relation, { message: error.message })
      throw error
    }
  }
}

/**
 * Of stored relations that a statement reads: tables whose logs it relies on, and those whose contents are to be the same after it was
 * computed. Streams are neither: they get rows all the time, and a statement would never come to its end.
 */
function readBy(
  manifest: Manifest,
  names: readonly string[],
): { readonly tables: readonly string[]; readonly committed: readonly string[] } {
  const owners = names.map((name) => ({ name, owner: findOwned(manifest, name)?.owner }))
  return {
    tables: [...new Set(owners.flatMap(({ owner }) => (owner && isLookedUp(owner) ? owner.name : [])))],
    committed: owners.filter(({ owner }) => owner?.kind !== 'stream').map(({ name }) => name),
  }
}

/** Without a place, which is one in the SELECT that the statement became. */
function inItsWords(error: MillraceError): MillraceError {
  if (error.code !== 'MR_SQL_SYNTAX') return error
  const message = error.message.replace(/ \(line \d+(, column \d+)?\)/g, '')
  return new MillraceError(error.code, message, { fix: 'check that part of the statement', cause: error.cause })
}

function mustBeWanted({ readOnly, freshness }: Question): void {
  if (readOnly)
    throw new MillraceError('MR_SQL_STATEMENT', 'the statement changes rows, and the request only asks', {
      fix: 'look at it, and run it yourself',
    })
  if (freshness === undefined) return
  throw new MillraceError('MR_USAGE', 'a statement that changes rows sees all of them: freshness cannot be chosen', {
    fix: 'leave freshness out',
  })
}

/** Columns and names of the statement's own queries, which pass the gate as questions do. */
const describing = (parser: SqlParser, question: Question, { ask }: ChangeAsk): Describe => ({
  columns: (select) =>
    ask(select, paramsIn(select, question.params), async ({ session, sql, params }) => {
      const { rows } = await session.rows(`DESCRIBE ${sql}`, params)
      return rows.map(([name]) => String(name))
    }),
  async alias(source) {
    const { node } = await parser.parse(`SELECT * FROM ${source}`)
    const from = node['from_table'] as Node
    if (from.type === 'JOIN') return undefined
    if (from.alias) return from.alias
    if (from.type === 'BASE_TABLE') return String(from['table_name'])
    return from.type === 'TABLE_FUNCTION' ? String((from['function'] as Node)['function_name']) : ''
  },
})

const named = (params: Params): [string, unknown][] =>
  Array.isArray(params) ? params.map((value, index) => [String(index + 1), value]) : Object.entries(params)

/** Those that the text has: a part of a statement has not all of them. */
function paramsIn(text: string, params: Params | undefined): Params | undefined {
  if (params === undefined) return undefined
  const used = parametersOf(tokensOf(text))
  return Object.fromEntries(named(params).filter(([name]) => used.has(name)))
}

/** What is computed from encrypted rows is not kept in the clear. */
function mustStaySealed(manifest: Manifest, target: string, read: readonly string[]): void {
  const encrypted = encryptedRelations(manifest)
  const source = encrypted.has(target)
    ? undefined
    : read.find((relation) => encrypted.has(findOwned(manifest, relation)?.owner.name ?? relation))
  if (source === undefined) return
  throw new MillraceError('MR_KEY_SHARED', `${source} is encrypted and ${target} is not: its rows are not written there`, {
    fix: `give ${target} encrypted: true`,
  })
}

function mustBeUsed({ parameters }: WriteStatement, params: Params | undefined): void {
  const extra = named(params ?? []).find(([name]) => !parameters.has(name))
  if (extra) throw new MillraceError('MR_SQL_PARAMETER', `the SQL has no parameter $${extra[0]}`, { fix: 'send only those that it uses' })
}
