import * as echarts from 'echarts'

/** Lines over an axis of figures. */
export interface LineChart {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly {
    readonly name: string
    readonly points: readonly (readonly [number, number])[]
  }[]
}

/** An axis, by the name of what it shows and the unit. */
interface Axis {
  readonly name: string
  readonly scale?: 'linear' | 'log'
}

const WIDTH = 760
const HEIGHT = 420

/** An SVG of lines on white, so that it can be read on a dark page as well. */
export function drawLines({ title, x, y, series }: LineChart): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    legend: { bottom: 0 },
    grid: { left: 72, right: 24, top: 48, bottom: 80 },
    xAxis: { ...axis(x), nameGap: 28 },
    yAxis: { ...axis(y), nameGap: 52 },
    series: series.map(({ name, points }) => ({
      name,
      type: 'line',
      data: points,
      showSymbol: points.length <= 20,
      symbolSize: 5,
    })),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function axis({ name, scale = 'linear' }: Axis) {
  return { name, type: scale === 'log' ? 'log' : 'value', nameLocation: 'middle' } as const
}
