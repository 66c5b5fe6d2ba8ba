// `/streams`: does each keep up, and does each balance?
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import type { StreamSummary } from '../../../src/serve/answers/streams.ts'
import { useNow } from '../api/clock.ts'
import { streamsQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { Balance } from '../ui/conservation.tsx'
import { formatDuration } from '../ui/format.ts'
import { Title } from '../ui/head.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty } from '../ui/note.tsx'
import { Num } from '../ui/num.tsx'
import { State } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { streamWords } from './stream-words.ts'

function Row({ of }: { readonly of: StreamSummary }) {
  const navigate = useNavigate()
  const now = useNow()
  const words = streamWords(of)
  const counters = of.conservation
  return (
    <tr className="go" onClick={() => void navigate({ to: '/streams/$name', params: { name: of.name } })}>
      <td>
        <Link className="row" to="/streams/$name" params={{ name: of.name }} data-row="" onClick={(event) => event.stopPropagation()}>
          <span className="muted">
            <Icon name={of.source === 'processor' ? 'processor' : 'stream'} />
          </span>
          <span className="m5 cut">{of.name}</span>
        </Link>
      </td>
      <td>
        <State tone={words.tone}>{words.word}</State>
      </td>
      <td className="r">
        <Num value={of.ratePerSecond} as="rate" />
      </td>
      <td className="r hide-m">{of.lagMaxMs === null ? <span className="muted">–</span> : formatDuration(of.lagMaxMs, 'fine')}</td>
      <td className="r hide-m">{of.watermarkMs === null ? <span className="muted">–</span> : formatDuration(now - of.watermarkMs)}</td>
      <td className="r hide-m">
        <Num value={counters.in} />
      </td>
      <td className="r hide-m">
        <Num value={counters.late} />
      </td>
      <td className="r hide-m">
        <Num value={counters.rejected} />
      </td>
      <td className="hide-m">
        <Balance of={counters} />
      </td>
    </tr>
  )
}

export function StreamsPage() {
  const query = useQuery(streamsQuery())
  return (
    <>
      <div className="head" style={{ marginBottom: 12 }}>
        <Title name="Streams">Streams</Title>
      </div>
      <Answer query={query} rows={6}>
        {(data) => (
          <Card label="Streams">
            {data.streams.length === 0 ? (
              <Empty title="There is no stream yet.">
                <p className="t2">
                  Export a <span className="mono">stream('clicks', ...)</span> from the project; then send it rows with{' '}
                  <span className="mono">POST /streams/clicks</span>.
                </p>
              </Empty>
            ) : (
              <table className="pad8">
                <thead>
                  <tr>
                    <th scope="col">Stream</th>
                    <th scope="col">State</th>
                    <th scope="col" className="r">
                      In
                    </th>
                    <th scope="col" className="r hide-m">
                      Lag, p99
                    </th>
                    <th scope="col" className="r hide-m">
                      Watermark behind
                    </th>
                    <th scope="col" className="r hide-m">
                      In, 24 h
                    </th>
                    <th scope="col" className="r hide-m">
                      Late
                    </th>
                    <th scope="col" className="r hide-m">
                      Rejected
                    </th>
                    <th scope="col" className="hide-m">
                      Conservation
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.streams.map((stream) => (
                    <Row key={stream.name} of={stream} />
                  ))}
                </tbody>
              </table>
            )}
          </Card>
        )}
      </Answer>
    </>
  )
}
