//! A graph, compiled: names are slots, operators are functions, and every value is freed after its last use.

use std::collections::{HashMap, HashSet};

use crate::budget::{Budget, Meter, Usage};
use crate::call::Call;
use crate::control::Control;
use crate::error::{Error, Fault, Outcome, Result};
use crate::fast::is_fast;
use crate::graph::{Attribute, Graph, Node, TensorType};
use crate::kept::Kept;
use crate::lines::LineOperator;
use crate::ops::{self, Operator};
use crate::run::run_body;
use crate::turn::turned;
use crate::value::Value;

/// Depth of bodies within bodies.
const DEPTH_MAX: usize = 32;

/// Inputs of a step that may be weights, behind the first.
const WEIGHTS_MAX: usize = 3;

/// A graph that can be run, by any number of threads at once.
#[derive(Debug)]
pub struct Program {
    body: Body,
    input_names: Vec<String>,
}

impl Program {
    /// Compiles a graph.
    ///
    /// # Errors
    /// When a node has an operator that does not exist here, or values are read that nothing writes before.
    pub fn new(graph: Graph) -> Result<Self> {
        let input_names = graph.inputs.clone();
        let body = Compiler { scopes: Vec::new() }.body(turned(graph))?;
        match body.captured.is_empty() {
            true => Ok(Self { body, input_names }),
            false => Err(Error::Graph("its outermost graph reads values from outside".to_string())),
        }
    }

    /// Runs the graph over inputs in the order of its names.
    ///
    /// # Errors
    /// When an operator fails, or takes more than the budget allows.
    pub fn run(&self, inputs: Vec<Value>, budget: Budget) -> Result<Vec<Value>> {
        self.run_measured(inputs, budget).map(|(outputs, _)| outputs)
    }

    /// As [`Self::run`], and tells what it took.
    ///
    /// # Errors
    /// When an operator fails, or takes more than the budget allows.
    pub fn run_measured(&self, inputs: Vec<Value>, budget: Budget) -> Result<(Vec<Value>, Usage)> {
        if inputs.len() != self.input_names.len() {
            return Err(Error::Inputs(format!("{} inputs for a graph of {}", inputs.len(), self.input_names.len())));
        }
        let meter = Meter::new(budget);
        let outputs = run_body(&self.body, inputs, Vec::new(), &meter)?;
        Ok((outputs, meter.usage()))
    }

    /// Whether kernels compute what takes long: products of matrices, convolutions, recurrent layers and functions of lines, in
    /// single precision. A graph with loops or other precisions is not among those.
    pub fn is_fast(&self) -> bool {
        is_fast(&self.body)
    }

    /// Names of the inputs.
    pub fn inputs(&self) -> &[String] {
        &self.input_names
    }
}

/// A graph or the body of a node.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) slots: usize,
    pub(crate) inputs: Vec<usize>,
    pub(crate) constants: Vec<(usize, Value)>,
    /// Slots of the graph around it, and the own slots their values are copied to.
    pub(crate) captured: Vec<(usize, usize)>,
    pub(crate) steps: Vec<Step>,
    pub(crate) outputs: Vec<usize>,
    pub(crate) output_types: Vec<Option<TensorType>>,
    /// The step that reads each slot last; beyond all steps for what the graph gives.
    pub(crate) last_read: Vec<usize>,
}

/// A node, compiled.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) node: Node,
    pub(crate) action: Action,
    /// What it does with lines of numbers, if that is all it does.
    pub(crate) lines: Option<LineOperator>,
    /// Whether its inputs from the second to the fourth, as far as it has them, are constants: the weights of those that have some.
    pub(crate) has_constant_weights: bool,
    /// What it keeps from one run to the next.
    pub(crate) kept: Kept,
    pub(crate) inputs: Vec<Option<usize>>,
    pub(crate) outputs: Vec<Option<usize>>,
    /// Slots that nobody reads after this step.
    pub(crate) released: Vec<usize>,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Action {
    Operator(Operator),
    Control(Control, HashMap<String, Body>),
}

impl Step {
    pub(crate) fn failed(&self, fault: Fault) -> Error {
        failed(&self.node, fault)
    }
}

fn failed(node: &Node, fault: Fault) -> Error {
    Error::Node { operator: node.operator(), node: node.label(), opset: node.opset, fault }
}

/// The names of a graph that is being compiled.
#[derive(Default)]
struct Names {
    slots: HashMap<String, usize>,
    count: usize,
    captured: Vec<(usize, usize)>,
}

impl Names {
    fn add(&mut self, name: String) -> usize {
        let slot = self.count;
        self.count += 1;
        if !name.is_empty() {
            self.slots.insert(name, slot);
        }
        slot
    }
}

struct Compiler {
    /// The graphs around the present one, the outermost first.
    scopes: Vec<Names>,
}

impl Compiler {
    fn body(&mut self, graph: Graph) -> Result<Body> {
        if self.scopes.len() >= DEPTH_MAX {
            return Err(Error::Graph(format!("bodies are nested more than {DEPTH_MAX} deep")));
        }
        let mut names = Names::default();
        let mut constants: Vec<(usize, Value)> =
            graph.constants.into_iter().map(|(name, value)| (names.add(name), value)).collect();
        let inputs: Vec<usize> = graph.inputs.into_iter().map(|name| names.add(name)).collect();
        self.scopes.push(names);
        let steps = self.steps(graph.nodes, &mut constants);
        let outputs = graph
            .outputs
            .iter()
            .map(|name| self.slot(name).ok_or_else(|| Error::Graph(format!("nothing writes the output `{name}`"))))
            .collect::<Result<Vec<usize>>>();
        let names = self.scopes.pop().unwrap_or_default();
        let slots: HashSet<usize> = constants.iter().map(|(slot, _)| *slot).collect();
        let mut body = Body {
            slots: names.count,
            inputs,
            constants,
            captured: names.captured,
            steps: steps?,
            outputs: outputs?,
            output_types: graph.output_types,
            last_read: Vec::new(),
        };
        release(&mut body);
        let is_constant = |slot: &usize| slots.contains(slot);
        for step in &mut body.steps {
            step.has_constant_weights = step.inputs.iter().skip(1).take(WEIGHTS_MAX).flatten().all(is_constant);
        }
        Ok(body)
    }

    /// The steps of all nodes; what is there before any of them joins the constants.
    fn steps(&mut self, nodes: Vec<Node>, constants: &mut Vec<(usize, Value)>) -> Result<Vec<Step>> {
        let mut steps = Vec::with_capacity(nodes.len());
        for node in nodes {
            match (written(&node), self.scopes.last_mut()) {
                (Some(value), Some(names)) => constants.push((names.add(node.outputs[0].clone()), value)),
                _ => steps.push(self.step(node)?),
            }
        }
        Ok(steps)
    }

    fn step(&mut self, mut node: Node) -> Result<Step> {
        if node.domain == "ai.onnx" {
            node.domain.clear();
        }
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for name in &node.inputs {
            inputs.push(match name.as_str() {
                "" => None,
                name => Some(self.slot(name).ok_or_else(|| {
                    failed(&node, Fault::invalid(format!("it reads `{name}`, which nothing writes before")))
                })?),
            });
        }
        let action = self.action(&mut node)?;
        let Some(names) = self.scopes.last_mut() else {
            return Err(Error::Graph("a node without a graph".to_string()));
        };
        let outputs = node.outputs.iter().map(|name| (!name.is_empty()).then(|| names.add(name.clone()))).collect();
        let lines = LineOperator::of(&node);
        Ok(Step {
            node,
            action,
            lines,
            has_constant_weights: false,
            kept: Kept::default(),
            inputs,
            outputs,
            released: Vec::new(),
        })
    }

    fn action(&mut self, node: &mut Node) -> Result<Action> {
        let Some(control) = Control::find(&node.domain, &node.op_type) else {
            return ops::find(&node.domain, &node.op_type).map(Action::Operator).map_err(|fault| failed(node, fault));
        };
        let graphs: Vec<String> = node
            .attributes
            .iter()
            .filter(|(_, attribute)| matches!(attribute, Attribute::Graph(_)))
            .map(|(name, _)| name.clone())
            .collect();
        let mut bodies = HashMap::new();
        for name in graphs {
            if let Some(Attribute::Graph(graph)) = node.attributes.remove(&name) {
                bodies.insert(name, self.body(*graph)?);
            }
        }
        Ok(Action::Control(control, bodies))
    }

    /// The slot of a name; one of a graph outside is captured on the way in.
    fn slot(&mut self, name: &str) -> Option<usize> {
        let found = self.scopes.iter().rposition(|scope| scope.slots.contains_key(name))?;
        let mut slot = *self.scopes[found].slots.get(name)?;
        for scope in &mut self.scopes[found + 1..] {
            let own = scope.add(name.to_string());
            scope.captured.push((slot, own));
            slot = own;
        }
        Some(slot)
    }
}

/// The value of a `Constant` that holds it; one that is wrong or takes more memory than the file is left to be run.
fn written(node: &Node) -> Option<Value> {
    let is_plain =
        node.op_type == "Constant" && node.outputs.len() == 1 && !node.attributes.contains_key("sparse_value");
    let operator = ops::find(&node.domain, &node.op_type).ok().filter(|_| is_plain)?;
    let meter = Meter::new(Budget { bytes: u64::MAX, work: u64::MAX });
    operator.run(&Call { node, inputs: &[], meter: &meter, kept: None }).ok()?.pop()
}

/// Says where each value is read last.
fn release(body: &mut Body) {
    let mut seen = vec![false; body.slots];
    body.outputs.iter().for_each(|&slot| seen[slot] = true);
    body.last_read = vec![usize::MAX; body.slots];
    for (at, step) in body.steps.iter_mut().enumerate().rev() {
        let read = step.inputs.iter().flatten().copied();
        let captured: Vec<usize> = match &step.action {
            Action::Control(_, bodies) => {
                bodies.values().flat_map(|body| body.captured.iter().map(|(outer, _)| *outer)).collect()
            }
            Action::Operator(_) => Vec::new(),
        };
        let written = step.outputs.iter().flatten().copied();
        let last = |slot: &usize| !std::mem::replace(&mut seen[*slot], true);
        step.released = read.chain(captured).chain(written).filter(last).collect();
        step.released.iter().for_each(|&slot| body.last_read[slot] = at);
    }
}

/// The body a node has under this name.
pub(crate) fn body<'b>(bodies: &'b HashMap<String, Body>, name: &str) -> Outcome<&'b Body> {
    bodies.get(name).ok_or_else(|| Fault::invalid(format!("attribute `{name}` is missing")))
}
