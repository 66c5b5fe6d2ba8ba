// `millrace relocate`: a data directory that was moved or copied, or a lake whose files were copied into another store, is used again.
import { relocate as relocateAll } from '../runtime/relocate.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput } from './output.ts'
import { mustExist } from './verify.ts'

interface Options extends CommandOptions {
  readonly from?: string
  readonly to?: string
  readonly dryRun?: boolean
}

export async function relocate(_: string[], options: Options): Promise<number> {
  const output = openOutput(options)
  const data = dataOf(options)
  mustExist(data)
  const { from, to, dryRun } = options
  const done = await relocateAll(data, {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(dryRun ? { dryRun } : {}),
    onTable: (name) => output.progress(`${name}: its metadata is written anew`),
  })
  output.data(done)
  const count = `${done.tables.length} tables, ${done.views.length} views and ${done.checkpoints} checkpoints`
  output.line(
    done.from === done.to
      ? `nothing to do: all of it is at ${done.to}`
      : `${count} ${dryRun ? 'would be' : 'are'} at ${done.to} instead of ${done.from}`,
  )
  return 0
}
