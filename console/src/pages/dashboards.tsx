// `/dashboards`: those that the caller's role may open.
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { dashboardsQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { Title } from '../ui/head.tsx'
import { Icon } from '../ui/icon.tsx'
import { At, Empty } from '../ui/note.tsx'
import { Card } from '../ui/tile-frame.tsx'

export function DashboardsPage() {
  const query = useQuery(dashboardsQuery())
  return (
    <>
      <div className="head" style={{ marginBottom: 12 }}>
        <Title name="Dashboards">Dashboards</Title>
      </div>
      <Answer query={query} rows={4}>
        {(data) => (
          <Card label="Dashboards">
            {data.dashboards.length === 0 ? (
              <Empty title="There is no dashboard that you may open.">
                <p className="t2">
                  Export one:{' '}
                  <span className="mono">
                    dashboard('operations', [number('Orders today', sql`...`)], {'{'} allow: [analyst] {'}'})
                  </span>
                </p>
              </Empty>
            ) : (
              <table className="pad8">
                <thead>
                  <tr>
                    <th scope="col">Dashboard</th>
                    <th scope="col" className="r">
                      Tiles
                    </th>
                    <th scope="col" className="hide-m">
                      Reads
                    </th>
                    <th scope="col" className="hide-m">
                      Defined at
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.dashboards.map((one) => (
                    <tr key={one.name}>
                      <td>
                        <Link className="row" to="/dashboards/$name" params={{ name: one.name }} data-row="">
                          <span className="muted">
                            <Icon name="dashboard" />
                          </span>
                          <span className="m5 cut">{one.title}</span>
                        </Link>
                      </td>
                      <td className="r">{one.tiles}</td>
                      <td className="hide-m t2">{one.inputs.join(', ')}</td>
                      <td className="hide-m">
                        <At at={one.at} />
                      </td>
                    </tr>
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
