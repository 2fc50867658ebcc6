// Where on the map a place is: the Natural Earth projection, and the land in it.

const RADIANS = Math.PI / 180;
/** The part of the world that is shown, in degrees: nobody is a client in Antarctica. */
const NORTH = 83;
const SOUTH = -57;

// Coefficients: B. Šavrič, B. Jenny, T. Patterson et al., "A polynomial equation for the Natural
// Earth projection", 2011.
function raw(latitude, longitude) {
  const phi = latitude * RADIANS;
  const p2 = phi * phi;
  const p4 = p2 * p2;
  return [
    longitude * RADIANS * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4))),
    phi * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4))),
  ];
}

const LEFT = raw(0, -180)[0];
const TOP = raw(NORTH, 0)[1];
const BOTTOM = raw(SOUTH, 0)[1];

/** Width by height of the map. */
export const ASPECT = (-2 * LEFT) / (TOP - BOTTOM);

/** A function from latitude and longitude to pixels of a map of that width. */
export function projection(width) {
  const scale = width / (-2 * LEFT);
  return ([latitude, longitude]) => {
    const [x, y] = raw(latitude, longitude);
    return [(x - LEFT) * scale, (TOP - y) * scale];
  };
}

/** The rings of land.svg: lists of [latitude, longitude]. Its path is of tenths of degrees. */
export function rings(path) {
  return path
    .split("M")
    .slice(1)
    .map((text) => {
      const numbers = text.match(/-?\d+/g).map(Number);
      const ring = [];
      let [x, y] = [0, 0];
      for (let place = 0; place < numbers.length; place += 2) {
        x += numbers[place];
        y += numbers[place + 1];
        ring.push([-y / 10, x / 10]);
      }
      return ring;
    });
}

/** Rings as a path of a map. */
export function pathOf(rings, project) {
  const point = (place) =>
    project(place)
      .map((pixel) => pixel.toFixed(1))
      .join(" ");
  return rings.map((ring) => `M${ring.map(point).join("L")}Z`).join("");
}

/** Meridians and parallels, each thirty degrees, as a path. */
export function graticule(project) {
  const point = (latitude, longitude) =>
    project([latitude, longitude])
      .map((pixel) => pixel.toFixed(1))
      .join(" ");
  const lines = [];
  for (let longitude = -180; longitude <= 180; longitude += 30) {
    const steps = [];
    for (let latitude = SOUTH; latitude <= NORTH; latitude += 10) steps.push(point(latitude, longitude));
    lines.push(`M${steps.join("L")}`);
  }
  for (let latitude = -30; latitude <= 60; latitude += 30) {
    lines.push(`M${point(latitude, -180)}L${point(latitude, 180)}`);
  }
  return lines.join("");
}
