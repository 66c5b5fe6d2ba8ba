// `millrace token`: tokens of the running server.
import { durationMs } from '../core/duration.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, printTable } from './output.ts'
import { parseAttributes } from './query.ts'
import { mustConnect } from './remote.ts'

interface TokenRow {
  readonly id: string
  readonly user: string
  readonly roles: readonly string[]
  readonly createdMs: number
  readonly expiresMs: number | null
  readonly revokedMs: number | null
}

interface CreateOptions extends CommandOptions {
  readonly role: readonly string[]
  readonly attr: readonly string[]
  readonly expires?: string
}

export async function create([user]: string[], options: CreateOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const body = {
    user,
    roles: options.role,
    attributes: parseAttributes(options.attr),
    ...(options.expires ? { expiresInMs: durationMs(options.expires) } : {}),
  }
  const created = (await remote.post('/admin/tokens', body)) as { id: string; token: string }
  output.data(created)
  output.line(created.token)
  output.progress('this is the only time that the token is shown')
  return 0
}

export async function list(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const { tokens } = (await (await mustConnect(dataOf(options))).get('/admin/tokens')) as { tokens: readonly TokenRow[] }
  output.data(tokens)
  const day = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString().slice(0, 16))
  output.line(
    printTable(
      ['id', 'user', 'roles', 'created', 'expires', 'revoked'],
      tokens.map((token) => [
        token.id,
        token.user,
        token.roles.join(' '),
        day(token.createdMs),
        day(token.expiresMs),
        day(token.revokedMs),
      ]),
    ),
  )
  return 0
}

export async function revoke([id]: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const answer = await (await mustConnect(dataOf(options))).post(`/admin/tokens/${encodeURIComponent(id!)}/revoke`, {})
  output.data(answer)
  output.line(`revoked ${id}`)
  return 0
}
