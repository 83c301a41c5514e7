//! lab
#[derive(Clone, Copy)]
pub(super) struct Tuning {
    pub theta0: f64,
    pub kp: f64,
    pub ki: f64,
    pub cancel: f64,
    pub ext: f64,
    pub share: f64,
    pub margin: f64,
    pub cap: f64,
    pub pess: f64,
    pub tick: f64,
    pub grace: f64,
    pub disc: f64,
    pub fix: f64,
    pub x1: f64,
    pub x2: f64,
    pub x3: f64,
}
fn e(_n: &str, d: f64) -> f64 {
    d
}
impl Default for Tuning {
    fn default() -> Self {
        Self {
            theta0: e("TH", 0.035),
            kp: e("KP", 0.12),
            ki: e("KI", 0.4),
            cancel: e("CA", 2.0),
            ext: e("EXT", 0.0),
            share: e("SH", 0.99),
            margin: e("MA", 0.5),
            cap: e("CAP", 1.0),
            pess: e("PE", 0.25),
            tick: e("TI", 0.5),
            grace: e("GR", 0.9),
            disc: e("DI", 1.0),
            fix: e("FIX", 0.0),
            x1: e("X1", 0.0),
            x2: e("X2", 0.0),
            x3: e("X3", 0.0),
        }
    }
}
