// Who asks and what they may see: tokens, audit, the guard over questions, and the answerer that all doors share.
import { systemRandom } from '../core/random.ts'
import { type Audit, openAudit } from '../govern/audit.ts'
import { ADMIN, type Identity } from '../govern/identity.ts'
import { isJwt, openJwt } from '../govern/jwt.ts'
import { openGuard } from '../govern/secure.ts'
import { openTokens, type Tokens } from '../govern/token.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { RunHistory } from '../orchestrate/history.ts'
import type { CheckHistory } from '../quality/history.ts'
import type { Answerer } from '../serve/answer.ts'
import { makeAnswerer } from './answerer.ts'
import type { ChangeBy } from './change-by-sql.ts'
import type { Closer } from './closers.ts'
import { readToken, secretOf, type takeDataDirectory, writeToken } from './data-directory.ts'
import { explainRead } from './explain-read.ts'
import type { NodeOptions } from './node-options.ts'
import type { NodeStorage } from './open-storage.ts'
import { jwtSettings } from './settings.ts'
import { isSystemRelation, resolveSystem } from './system-relations.ts'

export interface Access {
  readonly audit: Audit
  readonly tokens: Tokens
  readonly answerer: Answerer
  /** Of a token of ours or of the provider. @throws MR_ACCESS_TOKEN */
  verify(token: string): Promise<Identity>
  /** The administrator's token of this start. */
  readonly administrator: string
}

export async function openAccess(
  options: NodeOptions,
  { store, log, engine, lake, parser, relations, keys }: NodeStorage,
  directory: ReturnType<typeof takeDataDirectory>,
  { history, checks, metrics, change }: { history: RunHistory; checks: CheckHistory; metrics: Metrics; change: ChangeBy },
  closers: Closer[],
): Promise<Access> {
  const { clock, settings, manifest } = options
  const audit = openAudit(store, clock)
  const tokens = openTokens(store, clock, systemRandom)
  const system = { clock, store, keys, lake, log, history, checks, manifest: () => manifest }
  const guard = await openGuard({
    engine,
    parser,
    manifest: () => manifest,
    maskKey: secretOf(directory.path, 'mask'),
    systemRelation: (name, identity) => identity.isAdmin && isSystemRelation(name),
    resolve: (relation, at, read) =>
      relation.startsWith('millrace.')
        ? resolveSystem(system, relation.slice('millrace.'.length))
        : relations.pin(relation, { ...read, ...(at ? { at } : {}) }),
  })
  closers.push(() => guard.close())
  const provider = jwtSettings(options.variables)
  const jwt = provider && (await openJwt(provider, clock))
  const answerer = makeAnswerer({
    jwt,
    clock,
    engine,
    guard,
    tokens,
    audit,
    keys,
    relations,
    settings,
    manifest: () => manifest,
    isOpen: options.isOpen,
    explain: (snapshots, error) => explainRead({ lake, engine }, snapshots, error),
    onQuery: metrics.queried,
    change,
  })
  return {
    audit,
    tokens,
    answerer,
    verify: async (token) => (jwt && isJwt(token) ? jwt(token) : tokens.verify(token)),
    administrator: await administratorToken(tokens, directory.path),
  }
}

/** The token of an earlier start while it is valid: idempotency keys are scoped by token and must outlive a restart. */
async function administratorToken(tokens: Tokens, path: string): Promise<string> {
  const known = readToken(path)
  const isValid =
    known !== undefined &&
    (await tokens.verify(known).then(
      (identity) => identity.isAdmin,
      () => false,
    ))
  if (isValid) return known
  const { token } = await tokens.create({ user: 'administrator', roles: [ADMIN], attributes: {} })
  writeToken(path, token)
  return token
}
