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
const PLOT_HEIGHT = 292
const TITLE_HEIGHT = 48
/** Of the horizontal axis, its figures and its name. */
const AXIS_HEIGHT = 54
/** Of a line of the legend, and how many series it may name. */
const LEGEND_LINE_HEIGHT = 26
const NAMES_A_LINE = 3

/** An SVG of lines on white, so that it can be read on a dark page as well. */
export function drawLines({ title, x, y, series }: LineChart): string {
  const below = AXIS_HEIGHT + Math.ceil(series.length / NAMES_A_LINE) * LEGEND_LINE_HEIGHT
  const height = TITLE_HEIGHT + PLOT_HEIGHT + below
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    title: { text: title, left: 'center', textStyle: { fontSize: 15 } },
    legend: { bottom: 0 },
    grid: { left: 72, right: 24, top: TITLE_HEIGHT, bottom: below },
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
