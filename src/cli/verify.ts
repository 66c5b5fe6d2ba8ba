// `millrace verify`: is the audit trail unbroken, are the files of every retained snapshot there and whole, has the log what is
// not committed yet, can every relation be read? Asks the running server; without one it looks at the data directory itself.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { MillraceError } from '../core/errors.ts'
import { withStorage } from '../runtime/storage.ts'
import type { Verified } from '../serve/admin/verify.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { type Output, openOutput, paint } from './output.ts'
import { connect } from './remote.ts'

export async function verify(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await connect(dataOf(options))
  const found = remote ? ((await remote.post('/admin/verify', {})) as Verified) : await verifyStopped(dataOf(options))
  output.data(found)
  output.line(found.audit ? paint('red', `audit record ${found.audit.sequence} ${found.audit.reason}`) : 'the audit trail is unbroken')
  const isWhole = printStorage(output, found.storage)
  for (const relation of found.relations)
    output.line(relation.error ? paint('red', `${relation.name}: ${relation.error}`) : `${relation.name}: ${relation.rows} rows`)
  return found.audit || !isWhole || found.relations.some((relation) => relation.error) ? 1 : 0
}

function verifyStopped(data: string): Promise<Verified> {
  mustExist(data)
  return withStorage(data, async ({ actions, audit }) => ({ audit: await audit.verify(), relations: [], storage: await actions.verify() }))
}

/** Commands that read a stopped server's directory do not make one. @throws MR_NOT_READY */
export function mustExist(data: string): void {
  if (existsSync(join(data, 'control.db'))) return
  throw new MillraceError('MR_NOT_READY', `${data} holds no data`, {
    fix: 'start a server with `millrace dev`, or name another directory with --data',
  })
}

function printStorage(output: Output, { tables, offsets, gaps }: Verified['storage']): boolean {
  const sum = (of: (table: (typeof tables)[number]) => number): number => tables.reduce((total, table) => total + of(table), 0)
  const counts = `${tables.length} tables, ${sum((table) => table.snapshots)} snapshots, ${sum((table) => table.files)} files`
  const damaged = tables.filter((table) => table.damage.length > 0)
  output.line(
    `${counts}, ${(sum((table) => table.bytes) / 1e6).toFixed(1)} MB: ${damaged.length === 0 ? 'all there and whole' : 'damaged'}`,
  )
  for (const { table, damage, good, current } of damaged) {
    for (const { path, what, snapshots } of damage) {
      const needed = snapshots.length > 0 ? ` (needed by ${snapshots.length} ${snapshots.length === 1 ? 'snapshot' : 'snapshots'})` : ''
      output.line(paint('red', `${table}: ${path} ${what}${needed}`))
    }
    if (good.length === 0) output.line('  no snapshot is whole')
    else if (current !== null && good.includes(current)) output.line('  what the table is now is whole; the others go when they expire')
    else output.line(`  fix: \`millrace restore ${table} --to ${good[0]}\` goes back to the newest whole snapshot`)
  }
  for (const { pipeline, topic, partition, committed, logStart, logEnd } of gaps)
    output.line(paint('red', `${pipeline} has committed ${topic}/${partition} up to ${committed}, the log holds ${logStart} to ${logEnd}`))
  if (gaps.length === 0) output.line(`${offsets} committed ${offsets === 1 ? 'offset fits' : 'offsets fit'} the log`)
  return damaged.length === 0 && gaps.length === 0
}
