// `millrace backfill`: has a live model computed again from the history of its streams, or chosen intervals of a model, and
// follows that to its end.
import { systemClock } from '../core/clock.ts'
import { type BackfillState, progressOf } from '../serve/admin/backfill.ts'
import type { BackfillAnswer, BackfillRequest } from '../serve/admin/parts.ts'
import { noteOf } from '../transform/range.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { type Output, openOutput } from './output.ts'
import { mustConnect, type Remote } from './remote.ts'
import { followRun } from './run.ts'

const POLL_MS = 200

export async function backfill([model]: string[], options: CommandOptions & BackfillRequest): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const { from, to, onlyMissing, dryRun } = options
  const path = `/admin/relations/${model}/backfill`
  const { run, plan, ...state } = (await remote.post(path, { from, to, onlyMissing, dryRun })) as BackfillState & BackfillAnswer
  if (plan) {
    output.data({ model, plan })
    output.line(`${model}: ${noteOf(plan)}`)
    return 0
  }
  return run === null ? followRebuild(remote, output, path, state) : followRun(remote, output, run)
}

async function followRebuild(remote: Remote, output: Output, path: string, started: BackfillState): Promise<number> {
  let last = ''
  let state = started
  for (; state.rebuild; state = (await remote.get(path)) as BackfillState) {
    const line = progressOf(state.rebuild)
    if (line !== last) output.progress(line)
    last = line
    await systemClock.sleep(POLL_MS)
  }
  output.data({ model: state.model })
  output.line(`${state.model} is computed anew`)
  return 0
}
