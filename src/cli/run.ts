// `millrace run`: starts a run on the running server and follows it to its end.
import { systemClock } from '../core/clock.ts'
import { assert } from '../core/errors.ts'
import type { RunDetail, RunStarted } from '../serve/answers/runs.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { type Output, openOutput, paint } from './output.ts'
import { mustConnect, type Remote } from './remote.ts'

const POLL_MS = 200

export async function run(assets: string[], options: CommandOptions & { readonly full?: boolean }): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const { id } = (await remote.post('/admin/runs', { assets, ...(options.full ? { full: true } : {}) })) as RunStarted
  assert(id !== null, 'assets were named, or the server refuses')
  return followRun(remote, output, id)
}

/** Tells each step as it ends; the status to exit with. */
export async function followRun(remote: Remote, output: Output, id: string): Promise<number> {
  const shown = new Set<string>()
  for (;;) {
    const detail = (await remote.get(`/admin/runs/${id}`)) as RunDetail
    for (const step of detail.steps) {
      if (shown.has(step.name) || step.state === 'waiting' || step.state === 'running') continue
      shown.add(step.name)
      const took = step.startedAtMs && step.endedAtMs ? ` in ${step.endedAtMs - step.startedAtMs} ms` : ''
      output.line(`${paint(step.state === 'done' ? 'green' : 'red', step.state)}  ${step.name}  ${step.note ?? ''}${took}`)
      if (step.error) output.line(`  ${step.error.code} ${step.error.message}${step.error.fix ? `\n  fix: ${step.error.fix}` : ''}`)
    }
    if (detail.run.state !== 'running' && detail.run.state !== 'queued') {
      output.data(detail)
      return detail.run.state === 'done' ? 0 : 1
    }
    await systemClock.sleep(POLL_MS)
  }
}
