// `millrace keys`: master keys as files, and the data keys of a data directory.
import { addMasterKey, keyEntries, withKeyRing } from '../runtime/key-file.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, printTable } from './output.ts'
import { mustExist } from './verify.ts'

export async function create([file]: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const id = addMasterKey(file!)
  output.data({ file, key: id })
  output.line(`${file} has the new master key ${id}, which wraps from now on`)
  output.progress('keep a copy elsewhere: without it nothing that is encrypted can be read')
  return 0
}

export async function list(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const data = dataOf(options)
  mustExist(data)
  const entries = await keyEntries(data)
  output.data(entries)
  const rows = entries.map(({ id, scope, master, createdMs }) => [id, scope, master, new Date(createdMs).toISOString().slice(0, 16)])
  output.line(rows.length === 0 ? 'nothing is encrypted' : printTable(['data key', 'relation', 'master key', 'created'], rows))
  return 0
}

export async function rotate(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const data = dataOf(options)
  mustExist(data)
  const done = await withKeyRing(data, async (ring) => ({ ...(await ring.rotate()), master: ring.entries.at(-1)?.master ?? null }))
  output.data(done)
  if (done.master === null) output.line('nothing is encrypted')
  else
    output.line(
      `${done.wrapped} data keys are wrapped by ${done.master}; what is written from now on has ${done.begun} new ones. No data was written again.`,
    )
  return 0
}
