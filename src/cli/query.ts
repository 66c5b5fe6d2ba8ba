// `millrace query`: asks the running server, as the administrator or as a role, or has it change rows.
import { MillraceError } from '../core/errors.ts'
import { readWrite } from '../engine/dml/read-statement.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, paint, printTable } from './output.ts'
import { mustConnect } from './remote.ts'

interface QueryOptions extends CommandOptions {
  readonly as?: string
  readonly attr: readonly string[]
  readonly format: string
  readonly dryRun?: boolean
}

interface Written {
  readonly relation: string
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly dryRun?: boolean
  readonly durationMs: number
}

interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly (readonly unknown[])[]
  readonly durationMs?: number
  readonly truncated?: boolean
  readonly policy?: { readonly rowFilter: boolean; readonly masked: readonly string[] }
}

/** `name=value` pairs as an object. @throws MR_USAGE. */
export function parseAttributes(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new MillraceError('MR_USAGE', `"${pair}" is not name=value`, { fix: 'write --attr country=France' })
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

export async function query([sql]: string[], options: QueryOptions): Promise<number> {
  const output = openOutput(options)
  const format = options.json ? 'json' : options.format
  if (!['table', 'json', 'csv'].includes(format))
    throw new MillraceError('MR_USAGE', `"${format}" is not a format`, { fix: 'use table, json or csv' })
  const remote = await mustConnect(dataOf(options))
  const attributes = parseAttributes(options.attr)
  const headers: Record<string, string> = options.as
    ? { 'millrace-as': options.as, 'millrace-as-attributes': JSON.stringify(attributes) }
    : {}
  const question = { sql, ...(options.dryRun ? { dryRun: true } : {}) }
  if (format === 'csv' && !readWrite(sql ?? '')) {
    process.stdout.write(await remote.text('/sql', { sql }, { ...headers, accept: 'text/csv' }))
    return 0
  }
  const answer = (await remote.post('/sql', question, { ...headers, accept: 'application/json' })) as Answer | Written
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(answer)}\n`)
    return 0
  }
  if ('inserted' in answer) {
    if (format === 'csv') process.stdout.write(`inserted,updated,deleted\r\n${answer.inserted},${answer.updated},${answer.deleted}\r\n`)
    else output.line(printWritten(answer))
    return 0
  }
  output.line(
    printTable(
      answer.columns.map((column) => column.name),
      answer.rows,
    ),
  )
  const notes = [
    `${answer.rows.length} ${answer.rows.length === 1 ? 'row' : 'rows'}${answer.truncated ? ' (cut)' : ''}`,
    ...(answer.durationMs === undefined ? [] : [`${Math.round(answer.durationMs)} ms`]),
  ]
  if (answer.policy?.rowFilter) notes.push('a policy filters rows')
  if (answer.policy?.masked.length) notes.push(`masked: ${answer.policy.masked.join(', ')}`)
  output.line(paint('dim', notes.join(', ')))
  return 0
}

/** `2 rows inserted, 1 row updated`, of what happened; `0 rows changed`. */
function printWritten({ inserted, updated, deleted, dryRun, durationMs }: Written): string {
  const done = Object.entries({ inserted, updated, deleted }).filter(([, count]) => count > 0)
  const rows = done.map(([verb, count]) => `${count} ${count === 1 ? 'row' : 'rows'} ${dryRun ? `would be ${verb}` : verb}`)
  return `${rows.length > 0 ? rows.join(', ') : '0 rows changed'}${paint('dim', `, ${Math.round(durationMs)} ms`)}`
}
