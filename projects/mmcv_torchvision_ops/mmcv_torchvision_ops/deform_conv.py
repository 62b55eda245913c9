"""Deformable convolutions, plain and modulated."""

from __future__ import annotations

from torch import Tensor

from .common import common_float, vision


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Convolve, each tap of the kernel shifted by its offset.

    Shapes: ``input`` (B, C_in, H, W), ``weight`` (C_out, C_in / group, kH, kW),
    ``offset`` (B, 2 * deformable_group * kH * kW, H_out, W_out) with y before x.
    ``output`` (B, C_out, H_out, W_out) is written.
    """
    input, weight, offset = common_float(input, weight, offset)
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    output.copy_(
        vision.deform_conv2d(
            input,
            weight,
            offset,
            *_no_mask_and_bias(input, weight),
            *geometry,
            False,
        )
    )


def _no_mask_and_bias(input: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return input.new_zeros(input.size(0), 1), input.new_zeros(weight.size(0))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Add the gradients of `deform_conv_forward` for input and offset."""
    grad, input, weight, offset = common_float(gradOutput, input, weight, offset)
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    grads = vision._deform_conv2d_backward(
        grad,
        input,
        weight,
        offset,
        *_no_mask_and_bias(input, weight),
        *geometry,
        False,
    )
    gradInput += grads[0]
    gradOffset += grads[2]


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add ``scale`` times the gradient of `deform_conv_forward` for the weight."""
    grad, input, offset = common_float(gradOutput, input, offset)
    # The gradient for the weight does not depend on the weight.
    weight = grad.new_zeros(gradWeight.shape)
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    grads = vision._deform_conv2d_backward(
        grad,
        input,
        weight,
        offset,
        *_no_mask_and_bias(input, weight),
        *geometry,
        False,
    )
    gradWeight.add_(grads[1].to(gradWeight), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Deformable convolution with a factor for each tap.

    Shapes: as `deform_conv_forward`; besides, ``mask``
    (B, deformable_group * kernel_h * kernel_w, H_out, W_out), and ``bias`` (C_out,),
    empty where ``with_bias`` is false.
    """
    input, weight, offset, mask, bias = common_float(input, weight, offset, mask, bias)
    geometry = (
        stride_h,
        stride_w,
        pad_h,
        pad_w,
        dilation_h,
        dilation_w,
        group,
        deformable_group,
    )
    output.copy_(
        vision.deform_conv2d(
            input,
            weight,
            offset,
            mask,
            bias if with_bias else input.new_zeros(weight.size(0)),
            *geometry,
            True,
        )
    )


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Add the gradients of `modulated_deform_conv_forward`."""
    grad, input, weight, offset, mask = common_float(
        grad_output, input, weight, offset, mask
    )
    geometry = (
        stride_h,
        stride_w,
        pad_h,
        pad_w,
        dilation_h,
        dilation_w,
        group,
        deformable_group,
    )
    grads = vision._deform_conv2d_backward(
        grad,
        input,
        weight,
        offset,
        mask,
        input.new_zeros(weight.size(0)),
        *geometry,
        True,
    )
    grad_input += grads[0]
    grad_weight += grads[1]
    grad_offset += grads[2]
    grad_mask += grads[3]
    if with_bias:
        grad_bias += grads[4]
