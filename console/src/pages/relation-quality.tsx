// Which checks hold, how the four dimensions stand, and which rows are set aside.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { CheckResult, QualityPage } from '../../../src/serve/answers/quality.ts'
import { qualityQuery, sessionQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { formatCount, formatShare, plural } from '../ui/format.ts'
import { Grid } from '../ui/grid.tsx'
import { At, Empty } from '../ui/note.tsx'
import { RunAgain } from '../ui/run-again.tsx'
import { CheckDays } from '../ui/spark.tsx'
import { State } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { checkText, checkWords, type Dimension, dimensionOf, severityWord } from '../ui/words.ts'
import { quoteName } from './sql-text.ts'

/** Share of rows without a failure in one dimension: the worst check decides. Null when no check measures it. */
export function dimensionShare(
  results: readonly CheckResult[],
  dimension: Dimension,
): { share: number; found: number; of: number; checks: number } | null {
  const measured = results.filter((one) => dimensionOf(one.check.rule) === dimension && one.found !== null && one.of !== null && one.of > 0)
  if (measured.length === 0) return null
  const worst = measured.reduce((a, b) => (b.found! / b.of! > a.found! / a.of! ? b : a))
  return { share: 1 - worst.found! / worst.of!, found: worst.found!, of: worst.of!, checks: measured.length }
}

function Dimensions({ page }: { readonly page: QualityPage }) {
  const results = page.sets.flatMap((set) => set.results)
  const one = (dimension: Dimension) => {
    const known = dimensionShare(results, dimension)
    return (
      <div className="kpi" key={dimension}>
        <dt>{dimension.charAt(0).toUpperCase() + dimension.slice(1)}</dt>
        <dd>
          {known === null ? <span className="muted">–</span> : formatShare(known.share)}
          <small>
            {known === null
              ? 'no check'
              : known.found === 0
                ? `${plural(known.checks, 'check')}, no row fails`
                : `${formatCount(known.found)} of ${formatCount(known.of)} rows`}
          </small>
        </dd>
      </div>
    )
  }
  return (
    <dl className="kpis" style={{ margin: '0 0 16px' }}>
      {one('validity')}
      {one('completeness')}
      {one('consistency')}
    </dl>
  )
}

function found(of: CheckResult): string {
  if (of.measured !== null) return of.measured
  if (of.found === null) return ''
  return of.found === 0 || of.of === null ? formatCount(of.found) : `${formatCount(of.found)} of ${formatCount(of.of)}`
}

function Results({ set, name, mayRun }: { readonly set: QualityPage['sets'][number]; readonly name: string; readonly mayRun: boolean }) {
  return (
    <Card
      title={set.set.name}
      beside={
        <>
          {plural(set.results.length, 'check')} on every commit · <At at={set.set.at} />
        </>
      }
      controls={mayRun ? <RunAgain checks={[name]} label="Run checks" icon /> : null}
    >
      <div className="scrollx">
        <table className="tight">
          <thead>
            <tr>
              <th scope="col">Result</th>
              <th scope="col">Check</th>
              <th scope="col" className="hide-m">
                If it fails
              </th>
              <th scope="col" className="r hide-m">
                Found
              </th>
              <th scope="col" className="hide-m">
                Dimension
              </th>
              <th scope="col" className="hide-m">
                30 days
              </th>
            </tr>
          </thead>
          <tbody>
            {set.results.map((result) => {
              const words = checkWords(result)
              return (
                <tr key={result.check.name} data-selected={words.tone === 'warn' || words.tone === 'bad'}>
                  <td>
                    <State tone={words.tone}>{words.word}</State>
                  </td>
                  <td className="mono s12 wrap-text" title={result.check.name}>
                    {checkText(result.check.rule)}
                  </td>
                  <td className="hide-m t2">{severityWord(result.check.severity)}</td>
                  <td className="r hide-m">{found(result)}</td>
                  <td className="hide-m t2">{dimensionOf(result.check.rule)}</td>
                  <td className="hide-m">
                    <CheckDays days={result.history} />
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

export function RelationQuality() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const query = useQuery(qualityQuery(name))
  const mayRun = useQuery(sessionQuery()).data?.mayRun ?? false
  return (
    <Answer query={query} rows={12}>
      {(page) =>
        page.sets.length === 0 ? (
          <Card label="Checks">
            <Empty title={`No check is defined on ${name}.`}>
              <p className="t2">
                Export one:{' '}
                <span className="mono">
                  checks('sound_{name}', {name}, [notNull({name}.id)])
                </span>
              </p>
            </Empty>
          </Card>
        ) : (
          <>
            <Dimensions page={page} />
            <div className="stack">
              {page.sets.map((set) => (
                <Results key={set.set.name} set={set} name={name} mayRun={mayRun} />
              ))}
              {page.setAside === null || page.setAside.rows.rows.length === 0 ? null : (
                <Card
                  title={`Quarantined by ${page.setAside.check}`}
                  controls={
                    <Link
                      className="btn sm hide-m"
                      to="/sql"
                      search={{ q: `SELECT *\nFROM ${quoteName(`${name}__rejected`)}\nORDER BY _ingested_at DESC\nLIMIT 100` }}
                    >
                      Open in SQL
                    </Link>
                  }
                >
                  <Grid columns={page.setAside.rows.columns} rows={page.setAside.rows.rows} masked={page.setAside.rows.policy.masked} />
                </Card>
              )}
            </div>
          </>
        )
      }
    </Answer>
  )
}
