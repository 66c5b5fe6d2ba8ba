// Questions under policy: who asks, what they may see, the answer, the audit record. Everything that a user reads goes
// through here, whatever the surface.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { systemRandom, uuidV7 } from '../core/random.ts'
import { encryptedRelations } from '../define/encrypted.ts'
import type { Manifest } from '../define/manifest.ts'
import { readWrite } from '../engine/dml/read-statement.ts'
import type { Engine } from '../engine/duckdb.ts'
import { exportRows } from '../engine/export.ts'
import type { RelationStore } from '../engine/relations.ts'
import type { Audit } from '../govern/audit.ts'
import { decide, mayWrite } from '../govern/decide.ts'
import { FailureBudget, tellsOneBit, withoutValues } from '../govern/failure.ts'
import { ADMIN, type Identity } from '../govern/identity.ts'
import { isJwt } from '../govern/jwt.ts'
import type { Guard, Secured } from '../govern/secure.ts'
import type { Tokens } from '../govern/token.ts'
import type { KeyRing } from '../objects/seal/key-ring.ts'
import { sealText } from '../objects/seal/sealed-text.ts'
import { storedUnder } from '../orchestrate/graph.ts'
import type { Answerer, Caller, Question } from '../serve/answer.ts'
import type { ChangeAsk, ChangeBy } from './change-by-sql.ts'
import type { Settings } from './settings.ts'

export interface AnswererParts {
  readonly clock: Clock
  readonly engine: Engine
  readonly guard: Guard
  readonly tokens: Tokens
  /** Verifies signed tokens of an identity provider; absent when none is configured. */
  readonly jwt: ((token: string) => Promise<Identity>) | undefined
  readonly audit: Audit
  readonly keys: KeyRing
  readonly relations: RelationStore
  readonly settings: Settings
  manifest(): Manifest
  /** Requests without a token are the administrator's: `dev --open` on loopback. */
  readonly isOpen: boolean
  /** The error, or a better one when a damaged file is the reason; see `explain-read.ts`. */
  explain(snapshots: Readonly<Record<string, string | null>>, error: MillraceError): Promise<MillraceError>
  readonly onQuery: (surface: string, outcome: string, tookMs: number) => void
  /** Carries out statements. */
  readonly change: ChangeBy
}

/** A question as the audit trail names it. */
type Recorded = Question & { readonly verb?: 'query' | 'write' }

const LOCAL: Identity = { user: 'local', tokenId: 'local', roles: [], isAdmin: true }

export function makeAnswerer(parts: AnswererParts): Answerer {
  const budget = new FailureBudget(parts.clock)
  const { settings } = parts
  return {
    write(caller, question) {
      const statement = readWrite(question.sql)
      if (!statement) return undefined
      const recorded = new Set<unknown>()
      const noted = (cause: unknown): never => {
        recorded.add(cause)
        throw cause
      }
      const written = { ...question, verb: 'write' } as const
      const asked: ChangeAsk = {
        ask: (sql, params, take) =>
          guarded(parts, budget, caller, written, (secured) => releasing(secured, take), { sql, params }).catch(noted),
        record: (outcome, object, detail) => record(parts, caller, { ...written, object }, undefined, outcome, detail),
        isRecorded: (cause) => recorded.has(cause),
      }
      return parts.change(caller, question, statement, asked)
    },
    async authenticate(authorization, as) {
      const identity = await identify(parts, authorization)
      return as ? actAs(parts.manifest(), identity, as) : identity
    },
    ask: (caller, question) =>
      guarded(parts, budget, caller, question, async (secured, startedMs) => {
        const { rowMax = settings.queryRowMax, timeoutMs = settings.queryTimeoutMs, signal } = question
        try {
          const result = await secured.session.rows(secured.sql, secured.params, { rowMax, timeoutMs, ...(signal ? { signal } : {}) })
          const durationMs = parts.clock.monotonicMs() - startedMs
          const masked = secured.masked.filter((column) => result.columns.some((candidate) => candidate.name === column))
          await record(parts, caller, question, secured, 'ok', { rows: result.rows.length, ms: Math.round(durationMs) })
          return {
            ...result,
            snapshots: secured.snapshots,
            tail: secured.hasTail,
            rowFilter: secured.rowFilter,
            masked,
            durationMs,
            version: secured.version,
          }
        } finally {
          await secured.release()
        }
      }),
    export: (caller, question, format) =>
      guarded(parts, budget, caller, question, async (secured) => {
        await mustBeExportable(parts, secured, format)
        // It releases the question itself, at the end of the bytes or at an error before them.
        const bytes = await exportRows(secured, format, secured.params, {
          timeoutMs: settings.queryTimeoutMs,
          ...(question.numbersAsText ? { numbersAsText: true } : {}),
        })
        try {
          await record(parts, caller, question, secured, 'ok', { format })
        } catch (cause) {
          await bytes.return?.()
          throw cause
        }
        return bytes
      }),
    version(caller, relations) {
      const policies = relations.map((name) => decide(parts.manifest(), caller, name).hash)
      const seen = storedUnder(parts.manifest(), relations).map((name) =>
        parts.relations.has(name) ? parts.relations.versionOf(name) : '',
      )
      return [...policies, ...seen].join('|')
    },
    access(caller, relation) {
      const decision = decide(parts.manifest(), caller, relation)
      return { readable: decision.readable, rowFilter: decision.rowFilter !== null, masked: [...decision.masks.keys()] }
    },
    mayWrite: (caller, relation) => mayWrite(parts.manifest(), caller, relation),
    rolesOf: (caller) =>
      caller.isAdmin ? [ADMIN, ...parts.manifest().roles.map((role) => role.name)] : caller.roles.map((role) => role.name),
  }
}

/** Secures a question and runs `action` on it; what fails is recorded, counted and, for restricted callers, told without values. */
async function guarded<T>(
  parts: AnswererParts,
  budget: FailureBudget,
  caller: Caller,
  question: Recorded,
  action: (secured: Secured, startedMs: number) => Promise<T>,
  { sql, params }: { readonly sql: string; readonly params?: Question['params'] | undefined } = question,
): Promise<T> {
  const startedMs = parts.clock.monotonicMs()
  budget.check(caller.tokenId)
  const snapshots: Record<string, string | null> = {}
  let secured: Secured | undefined
  try {
    secured = await parts.guard.secure(caller, sql, {
      snapshots,
      timeoutMs: question.timeoutMs ?? parts.settings.queryTimeoutMs,
      ...(question.freshness === 'committed' ? { committedOnly: true } : {}),
      ...(params === undefined ? {} : { params }),
    })
    const result = await action(secured, startedMs)
    parts.onQuery(question.surface, 'ok', parts.clock.monotonicMs() - startedMs)
    return result
  } catch (cause) {
    const error = asMillraceError(cause)
    const id = uuidV7(parts.clock.nowMs(), systemRandom)
    await record(parts, caller, question, secured, error.code, { id, message: error.message })
    parts.onQuery(question.surface, error.code, parts.clock.monotonicMs() - startedMs)
    // What failed before it was secured may have read rows too, in the first of two stages.
    if (caller.isAdmin || (secured && !secured.isRestricted)) throw await parts.explain(snapshots, error)
    if (tellsOneBit(error)) budget.spend(caller.tokenId)
    throw withoutValues(error, id)
  }
}

async function releasing<T>(secured: Secured, take: (secured: Secured) => Promise<T>): Promise<T> {
  try {
    return await take(secured)
  } finally {
    await secured.release()
  }
}

/** A Parquet file is written to the disk before it is sent, which rows of an encrypted relation must not be. */
async function mustBeExportable({ manifest }: AnswererParts, secured: Secured, format: string): Promise<void> {
  const encrypted = encryptedRelations(manifest())
  const name = format === 'parquet' ? secured.relations.find((relation) => encrypted.has(ownerOf(relation))) : undefined
  if (name === undefined) return
  await secured.release()
  throw new MillraceError('MR_KEY_SHARED', `${name} is encrypted, and Parquet is written to the disk before it is sent`, {
    fix: 'ask for format=arrow, csv or ndjson, which are not',
  })
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
  return parts.jwt && isJwt(match[1]!) ? parts.jwt(match[1]!) : parts.tokens.verify(match[1]!)
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

/** How text of a question is kept: sealed when it may name values of an encrypted relation, which a question that failed early may. */
async function keeping({ manifest, keys }: AnswererParts, secured: Secured | undefined): Promise<(text: string) => string> {
  const encrypted = encryptedRelations(manifest())
  const name = secured ? secured.relations.find((relation) => encrypted.has(ownerOf(relation))) : [...encrypted][0]
  if (name === undefined) return (text) => text
  const key = await keys.forWriting(ownerOf(name))
  return (text) => sealText(key, text, systemRandom)
}

/** Of `orders__late` and the like. */
const ownerOf = (relation: string): string => relation.replace(/__(late|rejected|archive)$/, '')

/** Questions of administrators on their own console are not worth a record each; everything under a policy is. */
async function record(
  parts: AnswererParts,
  caller: Caller,
  question: Recorded,
  secured: Secured | undefined,
  outcome: string,
  detail: Record<string, unknown>,
): Promise<void> {
  const { verb = 'query' } = question
  if (question.surface === 'console' && caller.isAdmin && verb === 'query') return
  const object = question.object ?? (secured ? secured.relations.join(', ') : '')
  const keep = await keeping(parts, secured)
  const known = { version: secured?.version ?? null, columns: secured?.columns ?? null, twoStage: secured?.isTwoStage ?? false }
  await parts.audit.record(caller, {
    action: `${verb}:${question.surface}`,
    object,
    outcome,
    detail: {
      sql: keep(question.sql.slice(0, 2_000)),
      ...known,
      ...detail,
      ...(typeof detail['message'] === 'string' ? { message: keep(detail['message']) } : {}),
    },
  })
}
