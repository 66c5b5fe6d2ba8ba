// Questions under policy: who asks, what they may see, the answer, the audit record. Everything that a user reads goes
// through here, whatever the surface.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import type { Engine, SqlValues } from '../engine/duckdb.ts'
import { exportRows } from '../engine/export.ts'
import type { RelationStore } from '../engine/relations.ts'
import type { Audit } from '../govern/audit.ts'
import { decide, mayWrite } from '../govern/decide.ts'
import { ADMIN, type Identity } from '../govern/identity.ts'
import type { Guard, Secured } from '../govern/secure.ts'
import type { Tokens } from '../govern/token.ts'
import type { Answer, Answerer, Caller, Question } from '../serve/answer.ts'
import type { Settings } from './settings.ts'

export interface AnswererParts {
  readonly clock: Clock
  readonly engine: Engine
  readonly guard: Guard
  readonly tokens: Tokens
  readonly audit: Audit
  readonly relations: RelationStore
  readonly settings: Settings
  manifest(): Manifest
  /** Requests without a token are the administrator's: `dev --open` on loopback. */
  readonly isOpen: boolean
  readonly onQuery: (surface: string, outcome: string, tookMs: number) => void
}

const LOCAL: Identity = { user: 'local', tokenId: 'local', roles: [], isAdmin: true }
/** Failed questions that a restricted caller may ask in ten minutes: each tells one bit at most. */
const ERROR_BUDGET = 20
const BUDGET_MS = 600_000

export function makeAnswerer(parts: AnswererParts): Answerer {
  const denied: ((error: MillraceError) => void)[] = []
  const budgets = new Map<string, number[]>()
  return {
    async authenticate(authorization, as) {
      const identity = await identify(parts, authorization)
      return as ? actAs(parts.manifest(), identity, as) : identity
    },
    ask: (caller, question) => answer(parts, budgets, denied, caller, question),
    async export(caller, question, format) {
      const secured = await parts.guard.secure(caller, question.sql, secureOptions(question))
      return exportRows(secured, format, question.params as SqlValues | undefined, { timeoutMs: parts.settings.queryTimeoutMs })
    },
    version: (caller, relations) =>
      relations
        .map(
          (name) =>
            `${decide(parts.manifest(), caller, name).hash}@${parts.relations.has(name) ? `${parts.relations.tableOf(name)?.current?.id ?? 0}.${parts.relations.tailRowsOf(name)}` : ''}`,
        )
        .join('|'),
    access(caller, relation) {
      const decision = decide(parts.manifest(), caller, relation)
      return { readable: decision.readable, rowFilter: decision.rowFilter !== null, masked: [...decision.masks.keys()] }
    },
    mayWrite: (caller, relation) => mayWrite(parts.manifest(), caller, relation),
    rolesOf: (caller) =>
      caller.isAdmin ? [ADMIN, ...parts.manifest().roles.map((role) => role.name)] : caller.roles.map((role) => role.name),
    onDenied: (listener) => void denied.push(listener),
  }
}

async function identify(parts: AnswererParts, authorization: string | undefined): Promise<Identity> {
  if (authorization === undefined) {
    if (parts.isOpen) return LOCAL
    throw new MillraceError('MR_AUTH_MISSING', 'the request carries no token', {
      fix: 'send Authorization: Bearer <token>; `dev` prints one',
    })
  }
  const match = /^Bearer +(\S+)$/i.exec(authorization)
  if (!match)
    throw new MillraceError('MR_AUTH_INVALID', 'the Authorization header is not a bearer token', {
      fix: 'send Authorization: Bearer <token>',
    })
  return parts.tokens.verify(match[1]!)
}

/** Administrators may act as any role with any attributes; others only as a role that they hold, as they hold it. */
function actAs(manifest: Manifest, identity: Identity, as: { role: string; attributes: Readonly<Record<string, unknown>> }): Identity {
  if (as.role === ADMIN && identity.isAdmin) return identity
  if (!identity.isAdmin) {
    const own = identity.roles.find((role) => role.name === as.role)
    if (!own) throw new MillraceError('MR_ACCESS_DENIED', `you may not act as ${as.role}`, { fix: 'use a role of your own' })
    return { ...identity, roles: [own] }
  }
  const role = manifest.roles.find((candidate) => candidate.name === as.role)
  if (!role)
    throw new MillraceError('MR_ACCESS_UNKNOWN_ROLE', `there is no role "${as.role}"`, {
      fix: `roles: ${manifest.roles.map((candidate) => candidate.name).join(', ') || 'none'}`,
    })
  const missing = role.attributes.fields.find((field) => !field.optional && as.attributes[field.name] === undefined)
  if (missing)
    throw new MillraceError('MR_ACCESS_ATTRIBUTE', `role ${as.role} needs the attribute "${missing.name}"`, {
      fix: `give --attr ${missing.name}=...`,
    })
  const unknown = Object.keys(as.attributes).find((name) => !role.attributes.fields.some((field) => field.name === name))
  if (unknown)
    throw new MillraceError('MR_ACCESS_ATTRIBUTE', `role ${as.role} has no attribute "${unknown}"`, {
      fix: `it has ${role.attributes.fields.map((field) => field.name).join(', ') || 'none'}`,
    })
  return { user: identity.user, tokenId: identity.tokenId, roles: [{ name: as.role, attributes: as.attributes }], isAdmin: false }
}

const secureOptions = (
  question: Question,
): { committedOnly?: boolean; params?: readonly unknown[] | Readonly<Record<string, unknown>> } => ({
  ...(question.freshness === 'committed' ? { committedOnly: true } : {}),
  ...(question.params === undefined ? {} : { params: question.params }),
})

async function answer(
  parts: AnswererParts,
  budgets: Map<string, number[]>,
  denied: readonly ((error: MillraceError) => void)[],
  caller: Caller,
  question: Question,
): Promise<Answer> {
  const startedMs = parts.clock.monotonicMs()
  checkBudget(parts, budgets, caller)
  let secured: Secured | undefined
  try {
    secured = await parts.guard.secure(caller, question.sql, secureOptions(question))
    const { rowMax = parts.settings.queryRowMax, timeoutMs = parts.settings.queryTimeoutMs, signal } = question
    const result = await secured.session.rows(secured.sql, question.params as SqlValues | undefined, {
      rowMax,
      timeoutMs,
      ...(signal ? { signal } : {}),
    })
    const durationMs = parts.clock.monotonicMs() - startedMs
    const masked = secured.masked.filter((column) => result.columns.some((candidate) => candidate.name === column))
    await audit(parts, caller, question, secured, 'ok', { rows: result.rows.length, ms: Math.round(durationMs) })
    parts.onQuery(question.surface, 'ok', durationMs)
    return {
      ...result,
      snapshots: secured.snapshots,
      tail: secured.hasTail,
      rowFilter: secured.rowFilter,
      masked,
      durationMs,
      version: secured.version,
    }
  } catch (cause) {
    const error = asMillraceError(cause)
    await audit(parts, caller, question, secured, error.code, { message: error.message })
    parts.onQuery(question.surface, error.code, parts.clock.monotonicMs() - startedMs)
    if (error.status === 403) for (const listener of denied) listener(error)
    throw isRestricted(secured) ? scrubbed(parts, budgets, caller, error) : error
  } finally {
    await secured?.release()
  }
}

const isRestricted = (secured: Secured | undefined): boolean => secured !== undefined && (secured.rowFilter || secured.masked.length > 0)

/** What fails while rows that a policy touches are read says nothing about their values. */
function scrubbed(parts: AnswererParts, budgets: Map<string, number[]>, caller: Caller, error: MillraceError): MillraceError {
  if (error.code !== 'MR_SQL_RUNTIME' && error.code !== 'MR_ENGINE') return error
  budgets.set(caller.tokenId, [...(budgets.get(caller.tokenId) ?? []), parts.clock.nowMs()])
  return new MillraceError('MR_SQL_RUNTIME', 'the query failed while running; details are in the audit trail', {
    fix: 'use TRY_CAST, or ask an administrator for the details',
  })
}

function checkBudget(parts: AnswererParts, budgets: Map<string, number[]>, caller: Caller): void {
  const recent = (budgets.get(caller.tokenId) ?? []).filter((atMs) => parts.clock.nowMs() - atMs < BUDGET_MS)
  if (recent.length === 0) budgets.delete(caller.tokenId)
  else budgets.set(caller.tokenId, recent)
  if (recent.length >= ERROR_BUDGET)
    throw new MillraceError('MR_INGEST_PRESSURE', 'too many queries failed; wait some minutes', {
      fix: 'correct the query before asking again',
    })
}

/** Questions of administrators on their own console are not worth a record each; everything under a policy is. */
async function audit(
  parts: AnswererParts,
  caller: Caller,
  question: Question,
  secured: Secured | undefined,
  outcome: string,
  detail: Record<string, unknown>,
): Promise<void> {
  if (question.surface === 'console' && caller.isAdmin) return
  const object = question.object ?? (secured ? secured.relations.join(', ') : '')
  await parts.audit.record(caller, {
    action: `query:${question.surface}`,
    object,
    outcome,
    detail: { sql: question.sql.slice(0, 2_000), version: secured?.version ?? null, ...detail },
  })
}
