// `millrace status` and `millrace logs`: what the running server says about its relations and runs.
import { formatAge } from '../core/duration.ts'
import type { Overview } from '../serve/answers/overview.ts'
import type { RunDetail, Runs } from '../serve/answers/runs.ts'
import { type CommandOptions, dataOf } from './options.ts'
import { openOutput, paint, printTable } from './output.ts'
import { mustConnect } from './remote.ts'

export async function status(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const overview = (await (await mustConnect(dataOf(options))).get('/admin/overview')) as Overview
  output.data(overview)
  output.line(
    printTable(
      ['relation', 'kind', 'state', 'age', 'rows', 'checks'],
      overview.relations.map((relation) => {
        const { freshness, checks } = relation
        const age =
          freshness.lagMs !== undefined
            ? `live, ${formatAge(freshness.lagMs)}`
            : freshness.asOfMs === null
              ? ''
              : formatAge(overview.nowMs - freshness.asOfMs)
        return [
          relation.name,
          `${relation.kind} ${relation.how}`,
          freshness.state,
          age,
          relation.changes
            ? `${relation.rows ?? '?'} + ${relation.changes} ${relation.changes === 1 ? 'change' : 'changes'}`
            : relation.rows,
          checks ? `${checks.passed}/${checks.total}` : '',
        ]
      }),
      '',
    ),
  )
  if (overview.flows.length > 0)
    output.line(
      `\n${printTable(
        ['topic', 'flow', 'behind', 'state'],
        overview.flows.map(({ direction, name, relation, topic, bus, lag, stopped }) => [
          `${bus}.${topic}`,
          direction === 'in' ? `-> ${relation}` : `<- ${relation} (${name})`,
          lag ?? '',
          stopped ? stopped.code : 'ok',
        ]),
        '',
      )}`,
    )
  const c = overview.conservation
  if (c)
    output.line(
      `\n${c.in} in = ${c.out} out + ${c.late} late + ${c.rejected} rejected + ${c.deduplicated} deduplicated${c.pending > 0 ? ` (${c.pending} pending)` : ''}`,
    )
  for (const problem of overview.attention)
    output.line(`${paint(problem.severity === 'bad' ? 'red' : 'yellow', problem.subject)}: ${problem.detail}`)
  return overview.attention.some((problem) => problem.severity === 'bad') ? 1 : 0
}

export async function logs(_: string[], options: CommandOptions): Promise<number> {
  const output = openOutput(options)
  const remote = await mustConnect(dataOf(options))
  const { runs } = (await remote.get('/admin/runs?limit=10')) as Runs
  const details = (await Promise.all(runs.map((run) => remote.get(`/admin/runs/${run.id}`)))) as RunDetail[]
  output.data(details)
  for (const { run, steps } of details.reverse()) {
    output.line(`${paint('bold', run.name)}  ${run.state}  ${new Date(run.startedAtMs).toISOString()}  ${run.trigger}`)
    for (const step of steps)
      for (const line of step.log) output.line(`  ${new Date(line.atMs).toISOString().slice(11, 23)} ${step.name}: ${line.text}`)
  }
  return 0
}
