// Settings of a process, read once from the environment. Definitions never read it; secrets are resolved where they are used.
import { availableParallelism } from 'node:os'
import { MillraceError } from '../core/errors.ts'
import type { Text } from '../define/manifest.ts'
import type { JwtSettings } from '../govern/jwt.ts'

export interface Settings {
  /** A tail is committed at this age or size, whichever comes first. */
  readonly flushMs: number
  readonly flushBytes: number
  readonly readBytes: number
  readonly bodyBytesMax: number
  /** Rows that one statement of SQL changes, as lines of the log. */
  readonly writeBytesMax: number
  /** Threads that take rows over HTTP. */
  readonly doorThreads: number
  readonly queryTimeoutMs: number
  readonly queryRowMax: number
  readonly memoryLimitBytes: number
  /** Of the state of each processor that does not say. */
  readonly stateBytes: number
  readonly threads: number | undefined
  readonly logLevel: string
  /** How often expiry and compaction look. */
  readonly maintenanceMs: number
  /** Absolute paths, besides the data directory, under which clients of the Iceberg catalog may place tables. */
  readonly lakeLocations: readonly string[]
  /** Most bytes of copies of objects on this machine, see `objects/file-cache.ts`. */
  readonly cacheBytes: number
}

type Environment = Readonly<Record<string, string | undefined>>

function number(environment: Environment, name: string, fallback: number): number {
  const text = environment[name]
  if (text === undefined || text === '') return fallback
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new MillraceError('MR_ENVIRONMENT', `${name} is "${text}"`, { fix: 'set it to a number' })
  return value
}

function paths(environment: Environment, name: string): string[] {
  const all = (environment[name] ?? '').split(',').filter((path) => path !== '')
  const odd = all.find((path) => !/^\/.*[^/]$/.test(path))
  if (odd)
    throw new MillraceError('MR_ENVIRONMENT', `${name} has "${odd}"`, { fix: 'give absolute paths of directories, separated by commas' })
  return all
}

/** Two, where the system spreads connections of one port over threads. */
const doorThreads = (): number => (process.platform === 'linux' ? Math.min(2, availableParallelism()) : 1)

export function readSettings(environment: Environment): Settings {
  return {
    flushMs: number(environment, 'MILLRACE_FLUSH_MS', 60_000),
    flushBytes: number(environment, 'MILLRACE_FLUSH_BYTES', 128 << 20),
    readBytes: number(environment, 'MILLRACE_READ_BYTES', 2 << 20),
    bodyBytesMax: number(environment, 'MILLRACE_BODY_BYTES', 16 << 20),
    writeBytesMax: number(environment, 'MILLRACE_WRITE_BYTES', 64 << 20),
    doorThreads: Math.max(1, number(environment, 'MILLRACE_DOOR_THREADS', doorThreads())),
    queryTimeoutMs: number(environment, 'MILLRACE_QUERY_TIMEOUT_MS', 60_000),
    queryRowMax: number(environment, 'MILLRACE_QUERY_ROWS', 10_000),
    stateBytes: number(environment, 'MILLRACE_STATE_BYTES', 512 << 20),
    memoryLimitBytes: number(environment, 'MILLRACE_MEMORY_BYTES', 4e9),
    threads: environment['MILLRACE_THREADS'] ? number(environment, 'MILLRACE_THREADS', 2) : undefined,
    logLevel: environment['MILLRACE_LOG'] ?? 'info',
    maintenanceMs: number(environment, 'MILLRACE_MAINTENANCE_MS', 60_000),
    cacheBytes: number(environment, 'MILLRACE_CACHE_BYTES', 10e9),
    lakeLocations: paths(environment, 'MILLRACE_LAKE_LOCATIONS'),
  }
}

/** The value of a text or of a reference into the environment. @throws MR_ENVIRONMENT when it is not set. */
export function resolveText(environment: Environment, text: Text): string {
  if (typeof text === 'string') return text
  const value = environment[text.name] ?? text.fallback
  if (value === undefined)
    throw new MillraceError('MR_ENVIRONMENT', `the ${text.kind} ${text.name} is not set`, { fix: `set ${text.name} in the environment` })
  return value
}

/**
 * Signed tokens of an identity provider, when MILLRACE_JWT_ISSUER is set: keys by MILLRACE_JWT_JWKS_URL or
 * MILLRACE_JWT_SECRET, roles from the claim MILLRACE_JWT_ROLES ('roles'), attributes as `attribute=claim` pairs in
 * MILLRACE_JWT_ATTRIBUTES. @throws MR_ENVIRONMENT when a part is missing.
 */
export function jwtSettings(environment: Environment): JwtSettings | undefined {
  const issuer = environment['MILLRACE_JWT_ISSUER']
  if (!issuer) return undefined
  const audience = environment['MILLRACE_JWT_AUDIENCE']
  const url = environment['MILLRACE_JWT_JWKS_URL']
  const secret = environment['MILLRACE_JWT_SECRET']
  if (!audience)
    throw new MillraceError('MR_ENVIRONMENT', 'MILLRACE_JWT_AUDIENCE is not set', { fix: 'set it to the audience of your tokens' })
  if (!url && !secret)
    throw new MillraceError('MR_ENVIRONMENT', 'no key for signed tokens is set', {
      fix: 'set MILLRACE_JWT_JWKS_URL or MILLRACE_JWT_SECRET',
    })
  const pairs = (environment['MILLRACE_JWT_ATTRIBUTES'] ?? '').split(',').filter((pair) => pair.includes('='))
  return {
    issuer,
    audience,
    keys: url ? { kind: 'url', url } : { kind: 'secret', secret: Buffer.from(secret!) },
    claims: {
      roles: environment['MILLRACE_JWT_ROLES'] ?? 'roles',
      attributes: Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string])),
    },
  }
}
