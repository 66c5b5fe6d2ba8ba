// `millrace verify`: asks the running server whether its audit trail is unbroken and every relation can be read.
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, paint } from './output.ts'
import { mustConnect } from './remote.ts'

interface Verified {
  readonly audit: { readonly sequence: number; readonly reason: string } | null
  readonly relations: readonly { readonly name: string; readonly rows: number | null; readonly error: string | null }[]
}

export async function verify(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const found = (await (await mustConnect(dataOf(options))).post('/admin/verify', {})) as Verified
  output.data(found)
  output.line(found.audit ? paint('red', `audit record ${found.audit.sequence} ${found.audit.reason}`) : 'the audit trail is unbroken')
  for (const relation of found.relations)
    output.line(relation.error ? paint('red', `${relation.name}: ${relation.error}`) : `${relation.name}: ${relation.rows} rows`)
  return found.audit || found.relations.some((relation) => relation.error) ? 1 : 0
}
