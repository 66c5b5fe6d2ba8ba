// `millrace relocate`: all tables and views lie at another place afterwards. Works on the data directory itself, while no server runs.
import { type RelocateRequest, relocateWarehouse } from '../runtime/relocate-warehouse.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput } from './output.ts'
import { mustExist } from './verify.ts'

/** Files between two lines of progress. */
const EVERY = 100

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

export async function relocate(_: string[], options: CommandOptions & RelocateRequest): Promise<number> {
  const output = openOutput(options)
  const data = dataOf(options)
  mustExist(data)
  const done = await relocateWarehouse(data, options, ({ files, bytes }) => {
    if (files % EVERY === 0) output.progress(`${files} files, ${megabytes(bytes)}`)
  })
  output.data(done)
  const { tables, views, files, bytes, already, rewritten, removed } = done
  const what = `${tables} tables and ${views} views with ${files} files, ${megabytes(bytes)}`
  output.line(options.dryRun ? `${done.from} to ${done.to}: ${what}; nothing was changed` : `${what}: now at ${done.to}`)
  output.line(`${rewritten} files hold paths and ${options.dryRun ? 'would be' : 'were'} written anew; ${already} had been copied before`)
  if (!options.dryRun)
    output.line(options.removeOld ? `${removed} files of before removed` : 'files of before go with the orphans, after three days')
  return 0
}
