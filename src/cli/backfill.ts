// `millrace backfill`: has a live model computed again from the history of its streams, and follows that to its end.
import { systemClock } from '../core/clock.ts'
import { type BackfillState, progressOf } from '../serve/admin/backfill.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput } from './output.ts'
import { mustConnect } from './remote.ts'

const POLL_MS = 200

export async function backfill([model]: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const path = `/admin/relations/${model}/backfill`
  let state = (await remote.post(path, {})) as BackfillState
  let last = ''
  for (; state.rebuild; state = (await remote.get(path)) as BackfillState) {
    const line = progressOf(state.rebuild)
    if (line !== last) output.progress(line)
    last = line
    await systemClock.sleep(POLL_MS)
  }
  output.data({ model })
  output.line(`${model} is computed anew`)
  return 0
}
